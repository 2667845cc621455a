import { existsSync } from 'node:fs'
import { fetchModel, type HubModel, type HubOptions, isHubName } from './hub.ts'

/** A model's folder by its path, or, where there is none and the text is like `owner/name`, by its name on the hub. */
export const modelFolder = async (place: string, options: HubOptions = {}): Promise<Partial<HubModel> & Pick<HubModel, 'folder'>> =>
  existsSync(place) || !isHubName(place) ? { folder: place } : fetchModel(place, options)
