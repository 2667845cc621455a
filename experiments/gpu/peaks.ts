/** What a card can do at most in float32 without tensor cores, and how fast its memory is. */
export interface Peak {
  /** GFLOP/s, a fused multiply-add counted as two. */
  readonly gflops: number
  /** GB/s */
  readonly bandwidth: number
}

/**
 * Float32 peaks by adapter name, from NVIDIA's data sheets: H200 (SXM, 2024), H100 (SXM and PCIe, 2023), A100 (80 GB SXM, 2021), and the
 * white papers of the Ada (RTX 4090, 2022) and GA102 (RTX 3090, 2021) architectures. The more special name comes first.
 */
const peaks: readonly (readonly [name: RegExp, peak: Peak])[] = [
  [/H200/, { gflops: 67_000, bandwidth: 4800 }],
  [/H100 PCIe/, { gflops: 51_000, bandwidth: 2000 }],
  [/H100/, { gflops: 67_000, bandwidth: 3350 }],
  [/A100/, { gflops: 19_500, bandwidth: 2039 }],
  [/RTX 4090/, { gflops: 82_600, bandwidth: 1008 }],
  [/RTX 3090(?! Ti)/, { gflops: 35_600, bandwidth: 936 }],
]

/** The peak of a card by the name of its adapter; undefined when it is not in the table. */
export const peakOf = (adapter: string): Peak | undefined => peaks.find(([name]) => name.test(adapter))?.[1]
