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
}

/** Throws the one-line error of a configuration. */
export const configError =
  (network: string) =>
  (rule: string, remedy: string): never => {
    throw new Error(`${network} config: ${rule}; ${remedy}`)
  }

/**
 * The complete configuration from a part of it, as a `config.json` gives it.
 * Throws when a name is unknown or a value is not supported.
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
  return config
}
