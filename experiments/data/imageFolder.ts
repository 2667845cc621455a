import { type Dirent, existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { FileError, quoteKey } from '../../core/io/fileError.ts'
import { readFileBytes, toFileError } from '../../core/io/files.ts'
import type { LabelledPicture } from './picturesDataset.ts'

export type Split = 'train' | 'test'

const REMEDY = 'name the folder that holds train and val, with one folder of pictures per class'

const entries = (folder: string): Dirent[] => {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch (cause) {
    throw toFileError('reading', folder, cause)
  }
}

const namesOf = (folder: string, wanted: (entry: Dirent) => boolean): string[] =>
  entries(folder)
    .filter(wanted)
    .map(({ name }) => name)
    .sort()

const classFolders = (folder: string): string[] => namesOf(folder, entry => entry.isDirectory() || entry.isSymbolicLink())
const pictures = (folder: string): string[] => namesOf(folder, ({ name }) => /\.(jpe?g|png)$/i.test(name))

const pictureAt = (path: string, label: number): LabelledPicture => ({ name: path, label, read: () => readFileBytes(path) })

/** Tiny-ImageNet keeps the pictures of a training class in a folder `images` of its own. */
const pictureFolder = (folder: string): string => (existsSync(join(folder, 'images')) ? join(folder, 'images') : folder)

/** Tiny-ImageNet's test set: all pictures in one folder, their classes in a table. */
const annotated = (folder: string, table: string, classes: readonly string[]): LabelledPicture[] => {
  const path = join(folder, table)
  const lines = new TextDecoder().decode(readFileBytes(path)).trimEnd().split('\n')
  return lines.map((line, i) => {
    const [name, label] = line.split('\t')
    const index = classes.indexOf(label ?? '')
    if (!name || index < 0 || name.includes('/') || name.includes('\\'))
      throw new FileError(`${path} line ${i + 1}`, `${quoteKey(line.slice(0, 60))} names no picture and class`, 'fetch the data set again')
    return pictureAt(join(pictureFolder(folder), name), index)
  })
}

/**
 * The pictures of a data set kept as folders, as ImageNet-1k (`val/<synset>/*.JPEG`) and Tiny-ImageNet (`train/<synset>/images/*.JPEG`,
 * `val/images/*.JPEG` with `val_annotations.txt`) are: `train`, or `val` for the test split. Classes are numbered in the
 * order of their sorted names, those of `train` where it is there; pictures are sorted by class and name. None is read yet.
 * @throws FileError when a folder is missing or empty, has another number of classes, or a table names no picture and class
 */
export const imageFolder = (
  root: string,
  { split, classes: expected }: { readonly split: Split; readonly classes: number },
): LabelledPicture[] => {
  const folder = join(root, split === 'train' ? 'train' : 'val')
  const table = 'val_annotations.txt'
  const tabled = existsSync(join(folder, table))
  const named = existsSync(join(root, 'train')) ? join(root, 'train') : folder
  const classes = classFolders(named)
  if (classes.length !== expected) throw new FileError(named, `it has ${classes.length} class folders, expected ${expected}`, REMEDY)
  const list = tabled
    ? annotated(folder, table, classes)
    : classes.flatMap((name, label) => {
        const place = pictureFolder(join(folder, name))
        return pictures(place).map(file => pictureAt(join(place, file), label))
      })
  if (list.length === 0) throw new FileError(folder, 'it holds no JPEG or PNG pictures', REMEDY)
  return list
}
