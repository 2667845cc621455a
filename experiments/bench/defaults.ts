/** Rounds of the bench, and what `--quick` does with. */
export const ROUNDS = 9
export const QUICK = { rounds: 3, sampleMs: 10 }
/** Reverse steps whose memory shows what each further one takes, and the most that there are. */
export const MEMORY_STEPS = [11, 21]
export const MOST_STEPS = 1000
