// Switches of slipway render may be given as Go's flags are: `--skip-tests=true`. By itself, so that no other verb loads what a render needs.

const names = new Set([
  ...[
    '--atomic',
    '--create-namespace',
    '--debug',
    '--dependency-update',
    '--devel',
    '--disable-openapi-validation',
    '--enable-dns',
  ],
  ...['--force', '--generate-name', '--hide-notes', '--include-crds', '--insecure-skip-tls-verify', '--is-upgrade'],
  ...['--kube-insecure-skip-tls-verify', '--no-hooks', '--pass-credentials', '--plain-http', '--release-name'],
  ...['--render-subchart-notes', '--replace', '--skip-crds', '--skip-schema-validation', '--skip-tests', '--take-ownership'],
  ...['--validate', '--verify', '--wait', '--wait-for-jobs'],
])

/** One that is off is left out. */
export function asSwitches(args: readonly string[]): readonly string[] {
  return args.flatMap(argument => {
    const [, flag = '', value = ''] = /^(--[a-z-]+)=(true|false|TRUE|FALSE|True|False|[tTfF01])$/.exec(argument) ?? []
    if (!names.has(flag)) return [argument]
    return /^[tT1]/.test(value) ? [flag] : []
  })
}
