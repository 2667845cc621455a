/** Evaluations of the defence that a gradient costs, in the units of work that a bar of progress counts. */
export const evaluationsPerGradient = 3
