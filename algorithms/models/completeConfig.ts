/** What a network accepts in its `config.json`. */
export interface ConfigRules<Config> {
  /** Name of the network, for messages. */
  readonly network: string
  readonly defaults: Config
  /** Options of the origin of which only one value exists here; another value would silently be a different network. */
  readonly fixed: Readonly<Record<string, unknown>>
  /** Options of the origin that do not change the network. */
  readonly ignored: readonly string[]
  /** The values of options that have few. */
  readonly choices?: Readonly<Record<string, readonly unknown[]>>
  /** Options that may be any number from 0 on; the others with a number as default are whole. */
  readonly reals?: readonly string[]
  /** Options that may be null, or a whole number from 1 on. */
  readonly nullable?: readonly string[]
}

/** No network has more of anything; without a limit a damaged file could ask for a network that fills the memory. */
const MAX_WHOLE = 2 ** 16
/** No network has more levels, or more layers on one. */
const MAX_LAYERS = 256
const LAYERS = /^(num_res_blocks|num_blocks|layers_per_block)$/

/** Throws the one-line error of a configuration. */
export const configError =
  (network: string) =>
  (rule: string, remedy: string): never => {
    throw new Error(`${network} config: ${rule}; ${remedy}`)
  }

/** What is wrong with the value of an option, judged by its default; undefined when nothing is. */
const wrongWith = <Config extends object>(
  name: string,
  value: unknown,
  standard: unknown,
  rules: ConfigRules<Config>,
): string | undefined => {
  const { reals = [], nullable = [] } = rules
  if (Array.isArray(standard)) {
    if (!Array.isArray(value) || value.length > MAX_LAYERS) return `a list of at most ${MAX_LAYERS} values`
    const wrong = value.map(item => wrongWith(name, item, standard[0], rules)).find(rule => rule !== undefined)
    return wrong && `a list of which each is ${wrong}`
  }
  if (nullable.includes(name) && value === null) return undefined
  if (typeof standard === 'number' || nullable.includes(name)) {
    if (reals.includes(name)) {
      const [limit, rule] = name === 'dropout' ? [1, 'a number from 0 to below 1'] : [Number.POSITIVE_INFINITY, 'a number from 0 on']
      return typeof value === 'number' && value >= 0 && value < limit ? undefined : rule
    }
    const least = Math.min(1, typeof standard === 'number' ? standard : 1)
    const most = LAYERS.test(name) ? MAX_LAYERS : MAX_WHOLE
    return Number.isInteger(value) && (value as number) >= least && (value as number) <= most
      ? undefined
      : `a whole number from ${least} to ${most}`
  }
  return typeof value === typeof standard ? undefined : `a ${typeof standard}`
}

/**
 * The complete configuration from a part of it, as a `config.json` gives it.
 * Throws when a name is unknown, or a value is of another kind than its default or not supported.
 */
export const completeConfig = <Config extends object>(rules: ConfigRules<Config>, given: Readonly<Record<string, unknown>>): Config => {
  const { defaults, fixed, ignored, choices = {} } = rules
  const fail = configError(rules.network)
  for (const [name, value] of Object.entries(given)) {
    if (Object.hasOwn(fixed, name)) {
      if (value !== fixed[name]) fail(`${name} is ${JSON.stringify(value)}`, `only ${JSON.stringify(fixed[name])} is supported`)
    } else if (!Object.hasOwn(defaults, name) && !ignored.includes(name)) {
      fail(`there is no option "${name}"`, `use ${Object.keys(defaults).join(', ')}`)
    }
  }
  const known = Object.entries(given).filter(([name]) => Object.hasOwn(defaults, name))
  const config: Config = { ...defaults, ...Object.fromEntries(known) }
  for (const [name, values] of Object.entries(choices)) {
    const value = config[name as keyof Config]
    if (!values.includes(value)) fail(`${name} is ${JSON.stringify(value)}`, `use ${values.join(' or ')}`)
  }
  for (const [name, value] of known) {
    const rule = Object.hasOwn(choices, name) ? undefined : wrongWith(name, value, defaults[name as keyof Config], rules)
    if (rule) fail(`${name} is ${String(JSON.stringify(value)).slice(0, 100)}`, `use ${rule}`)
  }
  return config
}
