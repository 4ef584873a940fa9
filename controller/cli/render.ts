// slipway render APP: the objects that its newest candidate, or any release, consists of; values of Secrets masked.
// slipway render [NAME] CHART: what a chart that is here renders to, as `helm template` prints it.
import { Option } from 'commander'
import { type ChartOptions, isHere, renderHere } from './chart.js'
import { applicationPath, Cli, type Define, type Listed, type SharedOptions, yamlOf } from './cli.js'
import { withHelmFlags } from './helm-flags.js'

interface Options extends SharedOptions, ChartOptions {
  readonly release: string
}

const more = (value: string, before: readonly string[]): readonly string[] => [...before, value]
const moreOf = (value: string, before: readonly string[]): readonly string[] => [...before, ...value.split(',')]

export const define: Define = (command, around) => {
  command
    .usage('[options] <app> | [name] <chart>')
    .argument('<app-or-name>', 'an application; or the release name, before a chart')
    .argument(
      '[chart]',
      'a folder with a chart or manifests, a packed chart (.tgz), an address of one, oci://..., or repository/chart',
    )
    .option('--release <release>', 'of an application: r14, an id, a commit, or live; the newest where none is named', '')
    .option('-f, --values <file>', 'values, as often as wanted; the last wins; - for stdin, or an address', moreOf, [])
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
    .option('-g, --generate-name', 'of no effect: the name is release-name, as in helm template', false)
    .option('--name-template <template>', 'what the release is named by', '')
    .option('--output-dir <folder>', 'write files there instead', '')
    .option('--release-name', 'with --output-dir: below a folder of that name', false)
    .option('--repo <url>', 'the chart repository that the chart is in', '')
    .option('--version <version>', 'of a chart that is not here: a version or a range', '')
    .option('--devel', 'pre-releases, too', false)
    .option('--username <name>', 'of the chart repository', '')
    .option('--password <password>', 'of the chart repository', '')
    .option('--pass-credentials', 'give them to other hosts that it names, too', false)
    .option('--ca-file <file>', 'the authority of its certificate', '')
    .option('--plain-http', 'http for a registry', false)
    .option('--repository-config <file>', 'what helm repo add wrote', '')
    .option('--registry-config <file>', 'what helm registry login wrote', '')
    .option('--debug', 'print what was rendered also where it is no YAML', false)
    .option('--dependency-update', 'get the charts that are missing in charts/; nothing is written there', false)
    .addOption(new Option('--helm-profile <version>', 'whose output').choices(['3', '4']).default('3'))
  withHelmFlags(command)
    .addHelpText(
      'after',
      '\nEvery other flag of helm template is taken where it has no effect, and refused with the reason where it would have one.',
    )
    .action(async (first: string, second: string | undefined, options: Options) => {
      if (second !== undefined) return await renderHere(around, second, first, options)
      if (isHere(first, options)) return await renderHere(around, first, null, options)
      const cli = new Cli(around, options)
      const list = await cli.api.get<Listed<unknown>>(applicationPath(first, 'manifests', { release: options.release }))
      if (cli.format === 'json') return await cli.show(list, () => '')
      for (const manifest of list.items) cli.print(`---\n${await yamlOf(manifest)}`)
    })
}
