// slipway render APP: the objects that its newest candidate, or any release, consists of; values of Secrets masked.
// slipway render [NAME] CHART: what a chart that is here renders to, as `helm template` prints it.
import { Option } from 'commander'
import { type ChartOptions, isHere, renderHere } from './chart.js'
import { applicationPath, Cli, type Define, type Listed, type SharedOptions, yamlOf } from './cli.js'

interface Options extends SharedOptions, ChartOptions {
  readonly release: string
}

const more = (value: string, before: readonly string[]): readonly string[] => [...before, value]
const moreOf = (value: string, before: readonly string[]): readonly string[] => [...before, ...value.split(',')]

export const define: Define = (command, around) => {
  command
    .usage('[options] <app> | [name] <chart>')
    .argument('<app-or-name>', 'an application; or the release name, before a chart')
    .argument('[chart]', 'a folder with a chart or manifests, or a packed chart (.tgz)')
    .option('--release <release>', 'of an application: r14, an id, a commit, or live; the newest where none is named', '')
    .option('-f, --values <file>', 'values, as often as wanted; the last wins; - for stdin', more, [])
    .option('--set <values>', 'a.b=v,c[0]=w', more, [])
    .option('--set-string <values>', 'the same, every value a text', more, [])
    .option('--set-json <values>', 'a={"b":1}', more, [])
    .option('--set-file <values>', 'a=FILE', more, [])
    .option('--set-literal <value>', 'a=everything that follows', more, [])
    .option('-n, --namespace <namespace>', 'of the release', 'default')
    .option('--kube-version <version>', 'Capabilities.KubeVersion', '')
    .option('-a, --api-versions <versions>', 'more of Capabilities.APIVersions', moreOf, [])
    .option('--include-crds', 'print crds/ too', false)
    .option('--skip-tests', 'leave tests out', false)
    .option('--no-hooks', 'leave hooks out')
    .option('-s, --show-only <template>', 'templates/web.yaml; as often as wanted', more, [])
    .option('--is-upgrade', 'Release.IsUpgrade instead of IsInstall', false)
    .option('--skip-schema-validation', 'take no notice of values.schema.json', false)
    .option('--debug', 'print what was rendered also where it is no YAML', false)
    .option('--dependency-update', 'get the charts that are missing in charts/; nothing is written there', false)
    .addOption(new Option('--helm-profile <version>', 'whose output').choices(['3', '4']).default('3'))
    .action(async (first: string, second: string | undefined, options: Options) => {
      if (second !== undefined) return await renderHere(around, second, first, options)
      if (isHere(first)) return await renderHere(around, first, 'release-name', options)
      const cli = new Cli(around, options)
      const list = await cli.api.get<Listed<unknown>>(applicationPath(first, 'manifests', { release: options.release }))
      if (cli.format === 'json') return await cli.show(list, () => '')
      for (const manifest of list.items) cli.print(`---\n${await yamlOf(manifest)}`)
    })
}
