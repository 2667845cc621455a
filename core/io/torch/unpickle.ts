import type { ByteReader } from './byteReader.ts'
import { type PickleContext, PickleMachine } from './pickleMachine.ts'
import { OPCODES, STOP } from './pickleOpcodes.ts'
import type { PickleValue } from './pickleValue.ts'

const PROTO = 0x80
const PROTOCOLS = [2, 3, 4, 5]

/**
 * Runs the pickle program at the reader's position and leaves the reader behind it.
 *
 * Safe on any input: the program can only build data, every class and function it names is looked up in the context,
 * no code of the file or of Python runs, and memory is paid from the context's budget. The time is linear in the bytes
 * read and the bytes paid.
 *
 * @throws FileError naming the byte and the rule
 */
export const unpickle = (reader: ByteReader, context: PickleContext): PickleValue => {
  const machine = new PickleMachine(reader, context)
  if (reader.byte() !== PROTO) throw machine.error('it does not begin with a protocol number')
  const protocol = reader.byte()
  if (!PROTOCOLS.includes(protocol)) throw machine.error(`protocol ${protocol} is not one of ${PROTOCOLS.join(', ')}`)
  for (let opcode = reader.byte(); opcode !== STOP; opcode = reader.byte()) {
    const run = OPCODES[opcode]
    if (!run) throw machine.error(`opcode 0x${opcode.toString(16)} is not one of protocols ${PROTOCOLS.join(', ')}`)
    run(machine)
  }
  return machine.result()
}
