// Arguments of `helm template`, as tables of cases write them, to a request.
import { readFileSync } from 'node:fs'
import { noSets, type Sets, type TemplateRequest } from '../../renderer/helm/template.js'

type Flags = Omit<TemplateRequest, 'chart' | 'name' | 'namespace' | 'valueFiles' | 'chance' | 'limits'>

const setFlags: Readonly<Record<string, keyof Sets>> = {
  '--set': 'typed',
  '--set-json': 'json',
  '--set-string': 'string',
  '--set-file': 'file',
  '--set-literal': 'literal',
}

/** Throws for a flag that it does not know: no case is rendered without what it asks for. */
export function requestOf(args: readonly string[]): Flags {
  const sets = Object.fromEntries(Object.entries(noSets).map(([kind]) => [kind, []])) as unknown as Record<keyof Sets, string[]>
  const flags = { kubeVersion: '', apiVersions: [] as string[], showOnly: [] as string[] }
  const switches = new Set<string>()
  const rest = [...args]
  for (let flag = rest.shift(); flag !== undefined; flag = rest.shift()) {
    const kind = setFlags[flag]
    if (kind !== undefined) sets[kind].push(rest.shift() ?? '')
    else if (flag === '--kube-version') flags.kubeVersion = rest.shift() ?? ''
    else if (flag === '--api-versions' || flag === '-a') flags.apiVersions.push(...(rest.shift() ?? '').split(','))
    else if (flag === '--show-only' || flag === '-s') flags.showOnly.push(rest.shift() ?? '')
    else if (known.has(flag)) switches.add(flag)
    else throw new Error(`unknown flag ${flag}`)
  }
  return {
    ...flags,
    sets,
    readFile: name => readFileSync(name),
    includeCrds: switches.has('--include-crds'),
    skipTests: switches.has('--skip-tests'),
    noHooks: switches.has('--no-hooks'),
    isUpgrade: switches.has('--is-upgrade'),
    skipSchema: switches.has('--skip-schema-validation'),
    profile: '3',
  }
}

const known = new Set(['--include-crds', '--skip-tests', '--no-hooks', '--is-upgrade', '--skip-schema-validation'])
