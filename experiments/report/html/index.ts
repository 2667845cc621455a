import type { AuditResults } from '../../dwBox/results.ts'
import { page } from './page.ts'

/** The results of a run as one HTML file that needs nothing beside it: no scripts, no fonts, no network. */
export const renderReport = (results: AuditResults): string => page(results).markup
