import { existsSync, readFileSync } from 'node:fs'
import { UserError } from '../support/errors.ts'
import type { Entry } from './entry.ts'

/** Where Debian, Fedora and Arch keep it. */
const places = ['/usr/lib/x86_64-linux-gnu/libvulkan.so.1', '/usr/lib64/libvulkan.so.1', '/usr/lib/libvulkan.so.1']

/** This machine's Vulkan loader, which finds a machine's driver. @throws UserError when there is none */
export const vulkanLoader = (): Entry => {
  const path = places.find(existsSync)
  if (path === undefined)
    throw new UserError('bundle: this machine has no libvulkan.so.1 to carry', 'apt-get install libvulkan1, or leave --vulkan-loader out')
  return { path: 'vulkan/libvulkan.so.1', content: readFileSync(path), part: 'Vulkan loader' }
}
