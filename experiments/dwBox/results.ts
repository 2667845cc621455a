import type { LockSetName } from '../../algorithms/randomness/lockSets.ts'
import type { Provenance } from '../support/provenance.ts'

/** What `results.json` holds: everything that was measured, per image, and what was concluded from it. */
export interface AuditResults {
  readonly id: string
  /** The command that repeats the run. */
  readonly command: string
  readonly provenance: Provenance
  readonly options: Readonly<Record<string, unknown>>
  /** Wall-clock seconds of the session that finished the run. */
  readonly seconds: number
  readonly rows: readonly ResultRow[]
  readonly comparisons: readonly Comparison[]
  readonly verdicts: readonly Verdict[]
  /** Findings of the table lints (E14 ordering, GRIM); empty when the table is consistent. */
  readonly lints: readonly string[]
  readonly trajectories: readonly Trajectory[]
  readonly gallery: readonly GalleryImage[]
}

/** An accuracy in [0,1] with its 95 % interval. */
export interface Accuracy {
  readonly mean: number
  readonly low: number
  readonly high: number
  readonly images: number
  /** Draws on which each image was judged. */
  readonly draws: number
}

/** One defence under one attack in every threat setting that applies to it. */
export interface ResultRow {
  readonly id: string
  /** Such as `DDPM vanilla`. */
  readonly label: string
  /** Sweep coordinates that differ from the default table, such as `t* 0.10`; empty in the default table. */
  readonly variation: string
  readonly clean: Accuracy
  /** `undefended` rows have White only. */
  readonly settings: readonly SettingResult[]
}

export interface SettingResult {
  readonly setting: LockSetName
  readonly robust: Accuracy
  readonly eotSamples: number
  /** Mean attack loss (cross-entropy, nats) at each attack step. */
  readonly lossCurve: readonly number[]
  /** What an attack of the presets counted itself: accuracy on its selection draws, and share of images never seen misclassified. */
  readonly attackCount?: { readonly selection: number; readonly neverFound: number }
  /** Mean cosine of two independent halves of the EoT samples over steps and images; null with one sample. */
  readonly eotCosine: number | null
  /** Ids of the images, in the order of the outcomes. */
  readonly imageIds: readonly number[]
  /** Per image a string of 0 and 1, one character per report draw. */
  readonly cleanOutcomes: readonly string[]
  readonly robustOutcomes: readonly string[]
}

/** Two defences on the same images. */
export interface Comparison {
  readonly setting: LockSetName
  readonly a: string
  readonly b: string
  readonly images: number
  /** Mean robust accuracy of b minus that of a, with its paired 95 % interval over images. */
  readonly difference: { readonly mean: number; readonly low: number; readonly high: number }
  /** Exact two-sided McNemar on the majority of the report draws: images that only a (only b) gets right. */
  readonly mcnemar: { readonly onlyA: number; readonly onlyB: number; readonly p: number }
}

export interface Verdict {
  /** `claim-1` or `claim-3` of the paper, perhaps with a qualifier. */
  readonly claim: string
  readonly statement: string
  readonly outcome: 'shown' | 'not shown' | 'contradicted'
  /** One or two sentences with the numbers that decide. */
  readonly evidence: string
}

/** One attack on one image, seen in the plane through the clean image and the ends of the White and DW_Both attacks. */
export interface Trajectory {
  readonly imageId: number
  readonly label: number
  /** Such as `White, EoT 5`. */
  readonly attack: string
  /** Coordinates per attack step, units of epsilon; the first is the clean image at (0, 0). */
  readonly points: readonly (readonly [number, number])[]
  /** Loss at each step in the world of the DW_Both noises, nats. */
  readonly loss: readonly number[]
}

/** Pictures of one image, grey values 0..255 row-major, base64. */
export interface GalleryImage {
  readonly imageId: number
  readonly label: number
  readonly row: string
  readonly setting: LockSetName
  readonly width: number
  readonly height: number
  readonly clean: string
  readonly adversarial: string
  /** (adversarial - clean) / (2 epsilon) + 0.5. */
  readonly perturbation: string
  readonly purifiedClean: string
  readonly purifiedAdversarial: string
  /** Predicted class of the purified clean and the purified adversarial image. */
  readonly predictedClean: number
  readonly predictedAdversarial: number
}
