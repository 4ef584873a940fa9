// Flags of `helm template` that slipway render takes without effect, as Helm does, and those that it refuses, each with why.
import { type Command, Option } from 'commander'
import { HelmFailure } from '../../renderer/index.js'

/** Of an install, or of a cluster that `helm template` does not ask: they change nothing of what is printed. */
const idle = [
  '--atomic',
  '--burst-limit <n>',
  '--create-namespace',
  '--description <text>',
  '--disable-openapi-validation',
  '--force',
  '--hide-notes',
  '--keyring <file>',
  '--kube-apiserver <url>',
  '--kube-as-group <group>',
  '--kube-as-user <user>',
  '--kube-ca-file <file>',
  '--kube-context <name>',
  '--kube-insecure-skip-tls-verify',
  '--kube-tls-server-name <name>',
  '--kube-token <token>',
  '--kubeconfig <file>',
  '-l, --labels <labels>',
  '--qps <n>',
  '--render-subchart-notes',
  '--replace',
  '--repository-cache <folder>',
  '--skip-crds',
  '--take-ownership',
  '--timeout <duration>',
  '--wait',
  '--wait-for-jobs',
] as const

const cluster =
  'slipway render asks no cluster. A controller proves each release where it goes before anything is touched; here: slipway render ... | kubectl apply --dry-run=server -f -'

const refused: Readonly<Record<string, { readonly flags: string; readonly why: string }>> = {
  validate: { flags: '--validate', why: cluster },
  enableDns: { flags: '--enable-dns', why: 'templates reach no network: getHostByName gives "" as it does in Helm by default' },
  postRenderer: { flags: '--post-renderer <program>', why: 'slipway render runs no programs: pipe what it prints into yours' },
  postRendererArgs: {
    flags: '--post-renderer-args <argument>',
    why: 'slipway render runs no programs: pipe what it prints into yours',
  },
  verify: {
    flags: '--verify',
    why: 'signatures (.prov) are not looked at: pin the chart by its digest (Chart.lock, or an OCI registry), or run helm verify before',
  },
  certFile: {
    flags: '--cert-file <file>',
    why: 'client certificates are not given to chart repositories: use --username and --password',
  },
  keyFile: {
    flags: '--key-file <file>',
    why: 'client certificates are not given to chart repositories: use --username and --password',
  },
  insecureSkipTlsVerify: {
    flags: '--insecure-skip-tls-verify',
    why: 'what anyone on the way may have changed is not rendered: name the authority with --ca-file',
  },
}

export interface RefusableOptions {
  readonly dryRun: boolean | string
}

export function withHelmFlags(command: Command): Command {
  for (const flags of idle) command.addOption(new Option(flags, 'as Helm: of no effect here').hideHelp())
  for (const { flags, why } of Object.values(refused)) command.addOption(new Option(flags, why).hideHelp())
  return command.addOption(new Option('--dry-run [where]', 'client: as Helm, of no effect here').default('').hideHelp())
}

/** Throws `HelmFailure`. */
export function checkFlags(options: RefusableOptions): void {
  for (const [name, { flags, why }] of Object.entries(refused)) {
    const given = (options as unknown as Readonly<Record<string, unknown>>)[name]
    if (given !== undefined && given !== false) throw new HelmFailure(`${flags.replace(/ .*/, '')}: ${why}`)
  }
  const { dryRun } = options
  if (['', true, 'true', 'client'].includes(dryRun)) return
  if (['server', 'none', 'false'].includes(String(dryRun))) throw new HelmFailure(`--dry-run=${dryRun}: ${cluster}`)
  throw new HelmFailure('Invalid dry-run flag. Flag must one of the following: false, true, none, client, server')
}
