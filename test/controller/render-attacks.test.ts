// Charts that mean harm, or were never finished: each ends in a clear error within its limit, the process that asked is as it was, and the next
// chart renders. The attack table of rendering and of the fault catalogue; all through the pool, as the controller renders.
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { RenderPool } from '../../controller/render/pool.js'
import { pack } from '../../renderer/chart/pack.js'
import { packed } from '../support/charts.js'
import { options, type Tree } from '../support/render.js'

t.setTimeout(600_000)
const pool = new RenderPool({ timeoutMs: 120_000 })
t.teardown(() => pool.close())
const { signal } = new AbortController()
/** Of the defaults only these are lower: a slow hash takes a tenth of a second, and what has no end takes as long as it may. */
const limits = { secrets: 20, work: 2_000_000 }

async function rendered(files: Tree, values: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const job = Object.entries(files).map(([path, text]) => [path, typeof text === 'string' ? Buffer.from(text) : text] as const)
  const result = await pool.run(
    { files: job, options: { ...options, values, limits }, kept: { salt: 's', values: {}, answers: {} } },
    signal,
  )
  if ('killed' in result) return `killed: ${result.killed}`
  return result.error === undefined ? 'rendered' : `${result.error.reason}: ${result.error.message}`
}

const chart = 'apiVersion: v2\nname: c\nversion: 1.0.0\n'
const go = (template: string, more: Tree = {}): Tree => ({ 'Chart.yaml': chart, 'templates/a.yaml': template, ...more })
const hbs = (template: string, more: Tree = {}): Tree => ({ 'Chart.yaml': chart, 'templates/a.yaml.hbs': template, ...more })
const values = (text: string, more: Tree = {}): Tree => go('a: {{ .Values.x }}', { 'values.yaml': text, ...more })
const schema = (json: string): Tree =>
  go('a: 1', { 'values.schema.json': json, 'values.yaml': 'x: aaaaaaaaaaaaaaaaaaaaaaaaaaaaa!' })
const define = (name: string, body: string): string => `{{ define "${name}" }}${body}{{ end }}`
/** Ten times what the one before is, eight times over. */
const growing = (call: (name: string) => string, block: (name: string, body: string) => string): string =>
  Array.from({ length: 8 }, (_, at) => block(`p${at + 1}`, call(`p${at}`).repeat(10))).join('')
/** Forty levels, each twice what the one below is: small in memory, without end once it is written out. */
const twice = (name: string, each: string): string =>
  `{{ $${name} := ${each.includes('dict') ? 'dict "x" 1' : 'list "x"'} }}{{ range until 40 }}{{ $${name} = ${each} }}{{ end }}`
const lists = twice('l', 'list $l $l')
const dicts = twice('d', 'dict "a" $d "b" $d')
const tooMuchWork =
  /a\.yaml(?:\.hbs)?:1:\d+: (?:functions go through more than 2000000 parts of values and texts|a value of more than 8000000 characters is written) \(the limit\)/
const tooLong = /a\.yaml:1:\d+: a text of more than 4000000 characters/
const everyCharacter = '(repeat 3000000 "a")'
const doubled = (call: string): string => `{{ $s := "aa" }}{{ range until 40 }}{{ $s = ${call} }}{{ end }}`
const schemaTwice = Object.fromEntries(
  Array.from({ length: 40 }, (_, at) => [
    `d${at}`,
    at === 39 ? {} : { allOf: [{ $ref: `#/d${at + 1}` }, { $ref: `#/d${at + 1}` }] },
  ]),
)
const bomb = Array.from({ length: 9 }, (_, at) => `a${at + 1}: &a${at + 1} [${`*a${at},`.repeat(10)}]\n`).join('')

const attacks: readonly (readonly [string, Tree, RegExp])[] = [
  // -- without end --
  [
    'two includes of each other',
    go(`${define('a', '{{ include "b" . }}')}${define('b', '{{ include "a" . }}')}{{ include "a" . }}`),
    /a\.yaml:1:\d+: more than 1500 templates inside one another/,
  ],
  [
    'an include of itself',
    go(`${define('a', '{{ include "a" . }}')}{{ include "a" . }}`),
    /templates\/a\.yaml:1:\d+: .*rendering template has a nested reference name: a/,
  ],
  [
    'a template of itself',
    go(`${define('a', '{{ template "a" . }}')}{{ template "a" . }}`),
    /a\.yaml:1:\d+: more than 1500 templates inside one another/,
  ],
  ['a tpl of itself', go('{{ tpl .Values.t . }}', { 'values.yaml': 't: "{{ tpl .Values.t . }}"\n' }), /inside one another|tpl/],
  ['a partial of itself', hbs('{{> a}}', { 'templates/_a.hbs': '{{> a}}' }), /inside one another/],
  [
    'loops in loops',
    go('{{ range until 2000 }}{{ range until 2000 }}{{ range until 2000 }}{{ end }}{{ end }}{{ end }}'),
    /more than 2000000 steps/,
  ],
  [
    'loops in loops of Handlebars',
    hbs(`${'{{#each @root.Values.l}}'.repeat(7)}x${'{{/each}}'.repeat(7)}`, { 'values.yaml': `l: [${'1,'.repeat(20)}]` }),
    /more than 2000000 steps/,
  ],
  ['tpl in a loop', go('{{ range until 20000 }}{{ tpl "{{ 1 }}" $ }}{{ end }}'), /tpl called more than 10000 times/],
  ['an expression of 10,000 parentheses', go(`{{ ${'('.repeat(10_000)}1${')'.repeat(10_000)} }}`), /templates\/a\.yaml:1/],
  ['blocks 10,000 deep', go(`${'{{ if true }}'.repeat(10_000)}${'{{ end }}'.repeat(10_000)}`), /templates\/a\.yaml/],
  [
    'blocks 10,000 deep of Handlebars',
    hbs(`${'{{#if 1}}'.repeat(10_000)}${'{{/if}}'.repeat(10_000)}`),
    /templates\/a\.yaml\.hbs/,
  ],
  // -- memory --
  ['a list of a thousand million', go('{{ until 1000000000 }}'), /a list of more than 100000 items/],
  ['steps of a thousand million', go('{{ untilStep 0 1000000000 1 }}'), /a list of more than 100000 items/],
  ['a sequence of a thousand million', go('{{ seq 1000000000 }}'), /LimitExceeded: .*more than/],
  ['a text repeated', go('{{ repeat 1000000000 "abc" }}'), /a text of more than 4000000 characters/],
  [
    'a text that doubles',
    go('{{ $s := "x" }}{{ range until 64 }}{{ $s = cat $s $s }}{{ end }}'),
    /a text of more than 4000000 characters/,
  ],
  ['random bytes by the gigabyte', go('{{ randBytes 2000000000 }}'), /more than/],
  ['a number of 200 million digits', go('{{ printf "%200000000d" 1 }}'), /templates\/a\.yaml|rendered|more than/],
  [
    'a list that doubles',
    go('{{ $l := list 1 }}{{ range until 40 }}{{ $l = concat $l $l }}{{ end }}'),
    /a list of more than 100000 items/,
  ],
  ['a map that holds itself', go('{{ $d := dict }}{{ $_ := set $d "d" $d }}{{ toJson $d }}{{ toYaml $d }}{{ $d }}'), /.*/],
  ['a deep copy of what holds itself', go('{{ $d := dict }}{{ $_ := set $d "d" $d }}{{ deepCopy $d }}'), /.*/],
  [
    'output by the gigabyte',
    go('{{ $s := repeat 1000 "abcdefghij" }}{{ range until 100000 }}{{ $s }}{{ end }}'),
    /more than 16000000 characters of output/,
  ],
  [
    'partials that grow',
    hbs(
      '{{> p8}}',
      Object.fromEntries(
        Array.from({ length: 9 }, (_, at) => [`templates/_p${at}.hbs`, at === 0 ? 'abcdefghij' : `{{> p${at - 1}}}`.repeat(10)]),
      ),
    ),
    /more than \d+ (characters of output|steps)/,
  ],
  [
    'includes that grow',
    go(`${define('p0', 'abcdefghij')}${growing(name => `{{ include "${name}" . }}`, define)}{{ include "p8" . }}`),
    /more than \d+ (characters of output|steps)/,
  ],
  [
    'keys without end',
    go('{{ range until 1000 }}{{ genPrivateKey "rsa" }}{{ end }}'),
    /keys, certificates and slow hashes of a cost of more than 20/,
  ],
  ['slow hashes without end', go('{{ range until 10000 }}{{ bcrypt "x" }}{{ end }}'), /keys, certificates and slow hashes/],
  ...(
    [
      'toYaml $l',
      'toJson $l',
      'toPrettyJson $l',
      'toYamlPretty $l',
      '$x := deepCopy $l',
      'deepEqual $l (deepCopy (list $l))',
    ] as const
  ).map(call => [`a list twice in itself, forty times: ${call}`, go(`${lists}{{ ${call} }}`), tooMuchWork] as const),
  ...(
    [
      'toYaml $d',
      'toToml $d',
      '$x := merge (dict) $d $d',
      '$x := mergeOverwrite (dict "a" (dict)) $d $d',
      'deepEqual $d $e',
    ] as const
  ).map(
    call =>
      [
        `a map twice in itself, forty times: ${call}`,
        go(`${dicts}${dicts.replaceAll('$d', '$e')}{{ ${call} }}`),
        tooMuchWork,
      ] as const,
  ),
  ['a list twice in itself, forty times, printed', go(`${lists}{{ $l }}`), /a value of more than 32000000 characters/],
  ['a map twice in itself, forty times, as a key', go(`${dicts}{{ dict $d 1 }}`), /a value of more than 32000000 characters/],
  [
    'a long list gone through in a loop',
    go('{{ $l := until 90000 }}{{ range until 10000 }}{{ $x := has "x" $l }}{{ end }}'),
    tooMuchWork,
  ],
  [
    'long lists made in a loop',
    go('{{ $l := until 90000 }}{{ range until 10000 }}{{ $x := append $l 1 }}{{ end }}'),
    tooMuchWork,
  ],
  ['a long list in parts', go('{{ range until 1000 }}{{ $x := chunk 1 (until 90000) }}{{ end }}'), tooMuchWork],
  ['a list of lists, each of them compared with all', go('{{ $x := uniq (chunk 1 (until 90000)) }}'), tooMuchWork],
  [
    'a long list sorted in a loop',
    go('{{ $l := until 90000 }}{{ range until 1000 }}{{ $x := sortAlpha $l }}{{ end }}'),
    tooMuchWork,
  ],
  [
    'a long text gone through in a loop',
    go(`{{ $s := repeat 3000000 "x" }}{{ range until 100000 }}{{ $x := upper $s }}{{ end }}`),
    tooMuchWork,
  ],
  [
    'a long text in Handlebars',
    hbs('{{#each (until 90000)}}{{#if (hasPrefix "b" (repeat 3000000 "a"))}}{{/if}}{{/each}}'),
    tooMuchWork,
  ],
  ['a text replaced by twice itself', go(doubled('replace "a" "aa" $s')), tooLong],
  [
    'a text replaced by twice itself, by an expression',
    go(doubled('regexReplaceAll "a+" $s "$0$0"')),
    /a text of more than 4000000|functions go through more than/,
  ],
  ['a short text in every place of a long one', go('{{ replace "" (repeat 10000 "b") (repeat 100000 "a") }}'), tooLong],
  ['the same by an expression', go('{{ regexReplaceAll "" (repeat 100000 "a") (repeat 10000 "b") }}'), tooLong],
  ['the same as it stands', go('{{ regexReplaceAllLiteral "" (repeat 100000 "a") (repeat 10000 "b") }}'), tooLong],
  ['a long separator', go('{{ join (repeat 10000 "b") (until 90000) }}'), tooLong],
  ['lines that are wrapped by a long text', go('{{ wrapWith 1 (repeat 10000 "b") (repeat 100000 "a ") }}'), tooLong],
  ['lines that are wrapped', go('{{ wrap 1 (repeat 3000000 "a ") }}'), tooLong],
  ['many lines, far indented', go('{{ indent 100000 (repeat 100000 "\\n") }}'), tooLong],
  ['a text in its characters', go(`{{ splitList "" ${everyCharacter} }}`), /a list of more than 100000 items/],
  [
    'a text in its characters, by an expression',
    go(`{{ regexFindAll "a" (repeat 700000 "a") -1 }}`),
    /more than 100000 matches of an expression/,
  ],
  [
    'a text parted in every place by an expression',
    go(`{{ regexSplit "a" (repeat 700000 "a") -1 }}`),
    /more than 500000 matches of an expression/,
  ],
  [
    'a number of a thousand million decimals',
    go('{{ printf "%.1000000000f" 1.5 }}{{ printf "%*d" 1000000000 1 }}'),
    /a text or a list is longer than can be held/,
  ],
  [
    'passwords derived without end',
    go('{{ range until 1000 }}{{ derivePassword 1 "long" "p" "u" (toString .) }}{{ end }}'),
    /keys, certificates and slow hashes/,
  ],
  ['a path of 100,000 steps', hbs(`{{${'Values.'.repeat(100_000)}a}}`), /undefined value Values\.Values.* characters in all\)$/],
  ['a refusal of a megabyte', go('{{ fail (repeat 1000000 "no ") }}'), /: no no .* characters in all\)$/],
  [
    'look-ups without end',
    go('{{ range until 10000 }}{{ $x := lookup "v1" "Pod" "a" (toString .) }}{{ end }}'),
    /more than 500 questions in one render/,
  ],
  // -- texts that are slow to read --
  [
    'an expression of many ways',
    go('{{ $s := repeat 500000 "a" }}{{ range until 1000 }}{{ $x := regexMatch "(a|aa)+b" $s }}{{ end }}'),
    tooMuchWork,
  ],
  [
    'a glob of many braces',
    go(`{{ .Files.Glob "${'{a,b}'.repeat(30)}" }}`, { 'x/y': 'z' }),
    /rendered|InvalidManifest|InvalidYaml/,
  ],
  [
    'a glob of many stars',
    go(`{{ .Files.Glob "${'**a'.repeat(30)}b" }}`, { ['a'.repeat(200)]: 'z' }),
    /rendered|InvalidManifest|InvalidYaml/,
  ],
  [
    'a pattern that backtracks',
    go(`{{ regexMatch "^(a+)+$" "${'a'.repeat(50_000)}!" }}`),
    /rendered|InvalidYaml|InvalidManifest/,
  ],
  ['a pattern of a million', go('{{ regexMatch "((a{1,100}){1,100}){1,100}" "a" }}'), /templates\/a\.yaml/],
  ['a version of a megabyte', go(`{{ semverCompare (printf "%s" (repeat 100000 ">=1 ")) "1.0.0" }}`), /templates\/a\.yaml:1/],
  // -- YAML --
  ['aliases that grow', values(`a0: &a0 [1,1]\n${bomb}x: 1\n`), /values\.yaml|excessive aliasing|alias/],
  ['aliases that grow, as a manifest', go(`a0: &a0 [1,1]\n${bomb}kind: K\n`), /alias/],
  ['1,000 brackets', values(`x: ${'['.repeat(1000)}`), /values\.yaml/],
  ['100,000 brackets', values(`x: ${'['.repeat(100_000)}`), /values\.yaml/],
  ['100,000 dashes', values(`x:\n ${'- '.repeat(100_000)}`), /values\.yaml/],
  ['100,000 brackets in a manifest', go(`x: ${'['.repeat(100_000)}`), /templates\/a\.yaml/],
  ['100,000 brackets read by a template', go(`{{ fromYaml (repeat 100000 "[") }}{{ fail "done" }}`), /done|more than/],
  ['100,000 brackets of JSON', go(`{{ fromJson (repeat 100000 "[") }}{{ fail "done" }}`), /done|more than/],
  [
    '200,000 keys',
    go('a: 1', { 'values.yaml': Array.from({ length: 200_000 }, (_, at) => `k${at}: 1\n`).join('') }),
    /rendered|InvalidManifest|values\.yaml/,
  ],
  ['a text of 10 MB', go('a: 1', { 'values.yaml': `x: "${'x'.repeat(10_000_000)}"` }), /rendered|InvalidManifest|values\.yaml/],
  [
    'merges that grow',
    values(`a: &a {${Array.from({ length: 2000 }, (_, at) => `k${at}: 1`).join(',')}}\nx:\n${'  - {<<: *a}\n'.repeat(2000)}`),
    /.*/,
  ],
  // -- schemas --
  ['a schema of a device', schema('{"$ref":"file:///dev/zero"}'), /values\.schema\.json|\$ref|InvalidValues|InvalidChart/],
  ['a schema of the network', schema('{"$ref":"http://169.254.169.254/latest"}'), /\$ref|InvalidValues|InvalidChart/],
  ['a schema of itself', schema('{"$ref":"#"}'), /.*/],
  ['a schema that backtracks', schema('{"properties":{"x":{"pattern":"^(a+)+$"}}}'), /InvalidValues/],
  ['a schema that asks twice of itself, forty times', schema(JSON.stringify({ $ref: '#/d0', ...schemaTwice })), /too large/],
  ['a schema 5,000 deep', schema('{"not":'.repeat(5000) + '{}' + '}'.repeat(5000)), /.*/],
  // -- archives --
  [
    'an archive of 2 GB',
    go('a: 1', { 'charts/b.tgz': gzipSync(Buffer.alloc(150_000_000)) }),
    /charts?.*b\.tgz|decompressed chart is larger/,
  ],
  [
    'an archive that leads out',
    go('a: 1', { 'charts/b.tgz': packed({ name: 'b/..', version: '1.0.0', files: { '../../../etc/passwd': 'x' } }) }),
    /b\.tgz.*illegally/,
  ],
  ['an archive in an archive, 20 deep', go('a: 1', { 'charts/b.tgz': nested(20) }), /.*/],
  [
    'a damaged archive',
    go('a: 1', { 'charts/b.tgz': packed({ name: 'b', version: '1.0.0' }).subarray(0, 60) }),
    /b\.tgz.*unexpected EOF/,
  ],
  // -- reach --
  [
    'files above the chart',
    go(
      '{{ fail (printf "got %d %d %d" (len (.Files.Get "../..")) (len (.Files.Get "../../../etc/passwd")) (len (.Files.Glob "../**"))) }}',
    ),
    /got 0 0 0/,
  ],
  [
    'prototypes',
    hbs('a: {{lookup Values "constructor"}}{{Values.__proto__.polluted}}'),
    /undefined value|InvalidManifest|rendered/,
  ],
  ['code in a path', hbs('a: {{lookup (lookup Values "constructor") "constructor"}}'), /.*/],
  [
    'a file of the machine',
    go(
      '{{ .Files.Get "/etc/passwd" }}{{ .Files.Get "../../../etc/passwd" }}{{ fail (printf "got %d" (len (.Files.Get "/etc/passwd"))) }}',
    ),
    /got 0/,
  ],
  ['the environment', go('{{ env "HOME" }}'), /function "env" not defined/],
  ['the network', go('{{ fail (printf "got %q" (getHostByName "localhost")) }}'), /got ""/],
]

function nested(depth: number): Uint8Array {
  let archive: Uint8Array = packed({ name: 'b', version: '1.0.0' })
  for (let at = 0; at < depth; at++)
    archive = pack('b', [
      { name: 'Chart.yaml', bytes: Buffer.from('apiVersion: v2\nname: b\nversion: 1.0.0\n') },
      { name: 'charts/b.tgz', bytes: archive },
    ])
  return archive
}

t.test('each attack ends in an error that says what and where', async t => {
  await rendered(go('apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\n'))
  const before = process.memoryUsage.rss()
  const told: string[] = []
  for (const [name, files, message] of attacks) {
    const begun = Date.now()
    const said = await rendered(files)
    told.push(`${name}: ${said.slice(0, 150)} (${Date.now() - begun} ms)`)
    t.match(said, message, name)
    t.notMatch(said, /^killed|root:x:0/, `${name}: the child goes on, and nothing of the machine is told`)
    t.ok(said.length < 3000, `${name}: told briefly`)
  }
  if (process.env.ATTACKS_TOLD) console.error(told.join('\n'))
  t.equal(await rendered(go('apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\n')), 'rendered', 'the next chart renders')
  t.ok(process.memoryUsage.rss() - before < 300_000_000, 'the process that asked did not grow with it')
})

t.test('what charts are brought from is read in the child too', async t => {
  const index = (text: string) => ({ question: 'versions', index: Buffer.from(text), name: 'c' }) as const
  const rows: readonly (readonly [string, Parameters<typeof pool.ask>[0], RegExp])[] = [
    [
      'an archive of 150 MB',
      { question: 'archive', archive: gzipSync(Buffer.alloc(150_000_000)) },
      /decompressed chart is larger/,
    ],
    ['an index of brackets', index(`entries: ${'['.repeat(100_000)}`), /exceeded max depth/],
    ['an index of aliases', index(`a0: &a0 [1,1]\n${bomb}`), /alias/],
    ['an index of JSON brackets', index(`{"entries": ${'['.repeat(1_000_000)}`), /index|depth|yaml/i],
    [
      'a lock of brackets',
      {
        question: 'facts',
        files: [
          { name: 'Chart.yaml', bytes: Buffer.from(`${chart}dependencies: [{name: a, version: '1'}]\n`) },
          { name: 'Chart.lock', bytes: Buffer.from('['.repeat(100_000)) },
        ],
        aliases: {},
      },
      /cannot load Chart\.lock/,
    ],
  ]
  for (const [name, question, message] of rows) {
    const answer = await pool.ask(question, signal)
    t.match('killed' in answer ? `killed: ${answer.killed}` : answer.fault, message, name)
  }
  t.match(await pool.ask({ question: 'archive', archive: packed({ name: 'c', version: '1.0.0' }) }, signal), {
    facts: { name: 'c' },
  })
})
