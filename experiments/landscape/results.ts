import type { Provenance } from '../support/provenance.ts'

/** What may span a plane: the ends of two attacks, or nothing in particular. */
export type AxisName = 'DW-box' | 'EoT' | 'random'

/** What an attacker meets: the one noise that the defender will use, or the mean over many. */
export type Noise = 'known' | 'averaged'

/** The loss over a plane through a clean image. */
export interface Surface {
  readonly axes: readonly [AxisName, AxisName]
  readonly noise: Noise
  /** Cross-entropy, nats; [along the second axis][along the first]. */
  readonly loss: readonly (readonly number[])[]
}

/** One attack, seen in the plane of the DW-box and the EoT direction. */
export interface PlanePath {
  readonly attack: string
  /** Per attack step, the clean image first; in the unit of the landscape. */
  readonly points: readonly (readonly [number, number])[]
  /** How far each lies from the plane, in the same unit. */
  readonly residual: readonly number[]
  /** Loss at each step with the known noise, nats. */
  readonly loss: readonly number[]
}

/** The surroundings of one image. */
export interface ImageLandscape {
  readonly imageId: number
  readonly label: number
  /** l_2 length of coordinate 1, pixels in [0,1]: that of the longest perturbation of the attack. */
  readonly unit: number
  /** Along either axis. */
  readonly coordinates: readonly number[]
  readonly surfaces: readonly Surface[]
  readonly paths: readonly PlanePath[]
  /** Cosines between the ends of attacks, seen from the clean image. */
  readonly cosines: {
    readonly eotAndDwBox: number
    /** Two attacks that differ in their noise alone, with EoT and without. */
    readonly twoEot: number
    readonly twoWithoutEot: number
  }
}

/** Means over the images of a run. */
export interface SurfaceSummary {
  readonly axes: readonly [AxisName, AxisName]
  readonly noise: Noise
  readonly atClean: number
  /** At coordinate 1 (the nearest point of the grid) of the first and of the second axis. */
  readonly alongFirst: number
  readonly alongSecond: number
  /** The largest loss no farther than 1 from the clean image. */
  readonly largest: number
}

/** What `results.json` of a landscape holds. */
export interface LandscapeResults {
  readonly id: string
  readonly command: string
  readonly provenance: Provenance
  readonly options: Readonly<Record<string, unknown>>
  readonly seconds: number
  /** Such as `DDPM vanilla`. */
  readonly defence: string
  readonly images: readonly ImageLandscape[]
  readonly summary: readonly SurfaceSummary[]
}
