import { parquetWriteBuffer } from 'hyparquet-writer'

/** A parquet file as the Hugging Face hub keeps CIFAR-10: a struct `img` of bytes and path, and an integer `label`. */
export const parquetFile = ({ pictures, labels }: { pictures: readonly Uint8Array[]; labels: readonly number[] }): Uint8Array =>
  new Uint8Array(
    parquetWriteBuffer({
      schema: [
        { name: 'root', num_children: 2 },
        { name: 'img', num_children: 2, repetition_type: 'OPTIONAL' },
        { name: 'bytes', type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL' },
        { name: 'path', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
        { name: 'label', type: 'INT64', repetition_type: 'OPTIONAL' },
      ],
      columnData: [
        { name: 'img', data: pictures.map((bytes, i) => ({ bytes, path: `${i}.png` })) },
        { name: 'label', data: labels.map(BigInt) },
      ],
    }),
  )
