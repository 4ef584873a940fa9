import t from 'tap'
import { printed, renderTree } from '../support/render.js'

const values = {
  name: 'web',
  image: { repository: 'shop', tag: 'v1' },
  zero: 0,
  off: false,
  none: null,
  empty: {},
  list: ['b', 'a'],
  map: { z: 1, '10': 2, '9': 3, é: 4, '😀': 5, '\uffee': 6 },
  deep: [
    { name: 'x', ports: [1, 2] },
    { name: 'y', ports: [] },
  ],
  html: `<a href="x">'&\`=</a>`,
  big: 123456789012,
  half: 1.5,
}

t.test('templates print', async t => {
  const table: readonly (readonly [string, string])[] = [
    ['{{Values.name}}', 'web'],
    ['{{{Values.html}}} {{Values.html}}', `${values.html} ${values.html}`],
    ['{{Values.none}}|{{Values.zero}}|{{Values.off}}|{{Values.big}}|{{Values.half}}', '|0|false|123456789012|1.5'],
    [
      '{{Release.Name}} {{Release.Namespace}} {{Release.Service}} {{Release.Revision}} {{Release.IsInstall}} {{Release.IsUpgrade}}',
      'shop store Slipway 1 true false',
    ],
    ['{{Chart.Name}} {{Template.Name}} {{Template.BasePath}}', 't t/templates/a.hbs t/templates'],
    [
      '{{Capabilities.KubeVersion.Version}} {{Capabilities.KubeVersion.Minor}} {{has "apps/v1" Capabilities.APIVersions}}',
      'v1.31.0 31 true',
    ],
    ['{{#if Values.zero}}a{{else}}b{{/if}}{{#if Values.empty}}a{{else}}b{{/if}}{{#if Values.absent}}a{{else}}b{{/if}}', 'bbb'],
    ['{{#if Values.off}}a{{else if Values.name}}b{{else}}c{{/if}}', 'b'],
    ['{{#unless Values.empty}}a{{else}}b{{/unless}}', 'a'],
    [
      '{{#with Values.image as |i|}}{{repository}}:{{i.tag}} {{@root.Values.name}} {{../Values.name}}{{/with}}',
      'shop:v1 web web',
    ],
    ['{{#with Values.absent}}a{{else}}b{{/with}}', 'b'],
    ['{{#each Values.list as |item at|}}{{at}}{{item}}{{#unless @last}},{{/unless}}{{/each}}', '0b,1a'],
    ['{{#each Values.list}}{{@index}}{{this}}{{@first}} {{/each}}', '0btrue 1afalse '],
    ['{{#each Values.map}}{{@key}}={{.}} {{/each}}', '10=2 9=3 z=1 é=4 \uffee=6 😀=5 '],
    ['{{#each Values.empty}}a{{else}}none{{/each}}', 'none'],
    ['{{#each Values.deep as |d|}}{{#each d.ports}}{{d.name}}{{this}}{{@../index}} {{/each}}{{/each}}', 'x10 x20 '],
    ['{{#each Values.deep}}{{#each ports}}{{../name}}{{@root.Values.name}}{{/each}}{{/each}}', 'xwebxweb'],
    ['{{Values.list.[0]}} {{Values.deep.[0].name}} {{Values.deep.[1].name}}', 'b x y'],
    ['a{{~ Values.name ~}} \n b', 'awebb'],
    ['x:\n{{#if true}}\n  y\n{{/if}}\nz', 'x:\n  y\nz'],
    ['{{! one }}{{!-- two {{x}} --}}a', 'a'],
    ['\\{{Values.name}}', '{{Values.name}}'],
    ['{{default "d" Values.absent.deeper}} {{default "d" Values.name}}', 'd web'],
    ['{{and 1 0 (fail "never")}} {{or 0 "x" (fail "never")}} {{not 0}}', '0 x true'],
    ['{{eq 1 1}} {{eq "a" "b" "a"}} {{ne 1 2}} {{lt 1 2}} {{ge "b" "a"}}', 'true true true true true'],
    ['{{9007199254740993}}|{{add 9007199254740992 1}}', '9007199254740993|9007199254740993'],
  ]
  for (const [template, expected] of table) t.equal(printed(template, values), expected, template)
})

t.test('functions', async t => {
  const table: readonly (readonly [string, string])[] = [
    ['{{quote "a\\"b"}} {{quote 1 Values.none "x"}}', '"a\\"b" "1" "x"'],
    ["{{squote 'a'}} {{cat 'a' Values.none 'b'}}", "'a' a b"],
    ['{{trunc 3 "abcdef"}} {{trunc -2 "abcdef"}} {{trimSuffix "-" "a-"}} {{trimPrefix "v" "v1"}} {{trim " a "}}', 'abc ef a 1 a'],
    [
      '{{upper "a"}}{{lower "B"}} {{replace "-" "_" "a-b-c"}} {{contains "b" "abc"}} {{hasPrefix "a" "abc"}} {{hasSuffix "b" "abc"}}',
      'Ab a_b_c true true false',
    ],
    [
      '{{join "," Values.list}} {{join "," (sortAlpha Values.list)}} {{toJson (splitList "." "a.b")}} {{repeat 3 "ab"}}',
      'b,a a,b ["a","b"] ababab',
    ],
    ['{{indent 2 "a\nb"}}|{{nindent 2 "a"}}', '  a\n  b|\n  a'],
    ['{{printf "%s-%d %05d %-4s| %.2f %q %t %v %%" "a" 7 42 "b" 1.5 "q" true "v"}}', 'a-7 00042 b   | 1.50 "q" true v %'],
    ['{{toYaml Values.image}}', 'repository: shop\ntag: v1'],
    ['{{toJson (dict "b" "<&>" "a" (list 1 null))}}', '{"a":[1,null],"b":"\\u003c\\u0026\\u003e"}'],
    ['{{toJson (dict a=1 b=(list))}}', '{"a":1,"b":[]}'],
    ['{{toJson (merge (dict "a" 0 "b" (dict "x" 1)) (dict "a" 5 "b" (dict "x" 2 "y" 3)))}}', '{"a":5,"b":{"x":1,"y":3}}'],
    [
      '{{toJson (mergeOverwrite (dict "a" 1 "b" (dict "x" 1)) (dict "a" false "b" (dict "y" 3)))}}',
      '{"a":false,"b":{"x":1,"y":3}}',
    ],
    [
      '{{toJson (pick Values.image "tag")}} {{toJson (omit Values.image "tag")}} {{toJson (keys Values.image)}} {{toJson (values Values.image)}}',
      '{"tag":"v1"} {"repository":"shop"} ["repository","tag"] ["shop","v1"]',
    ],
    [
      '{{hasKey Values.image "tag"}} {{get Values.image "nope"}}| {{dig "a" "b" "d" (dict "a" (dict "b" 1))}} {{dig "a" "c" "d" (dict)}}',
      'true | 1 d',
    ],
    [
      '{{toJson (concat (list 1) (list 2 3))}} {{toJson (append (list 1) 2)}} {{first (list 4 5)}} {{last (list 4 5)}} {{toJson (uniq (list 1 1 "a" (list 1) (list 1)))}} {{has 1 (list 1)}}',
      '[1,2,3] [1,2] 4 5 [1,"a",[1]] true',
    ],
    [
      '{{b64enc "hi"}} {{b64dec "aGk="}} {{sha256sum "a"}}',
      'aGk= hi ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb',
    ],
    [
      '{{int "12"}} {{int "1.9"}} {{int "0x1f"}} {{float64 "1.5"}} {{add 1 "2"}} {{sub 5 2}} {{mul 2 3}} {{div 7 2}} {{max 1 3 2}}',
      '12 0 31 1.5 3 3 6 3 3',
    ],
    ['{{ternary "a" "b" true}} {{coalesce 0 "" "c"}} {{empty (list)}}', 'a c true'],
    [
      '{{regexMatch "^v[0-9]+$" "v12"}} {{regexReplaceAll "a(b+)" "abb-ab" "${1}x"}} {{regexReplaceAll "a(b)" "ab" "$1W"}}|',
      'true bbx-bx |',
    ],
    ['{{tpl "{{Values.name}}!" this}} {{tpl "{{x}}" (dict "x" 1)}}', 'web! 1'],
    ['{{required "must" Values.zero}}', '0'],
  ]
  for (const [template, expected] of table) t.equal(printed(template, values), expected, template)
})

t.test('versions are compared as Masterminds does', async t => {
  const table: readonly (readonly [string, string, boolean])[] = [
    ['>=1.19-0', '1.20.0-rc1', true],
    ['>=1.19', '1.20.0-rc1', false],
    ['=1.2', '1.2.3', true],
    ['^1.2', '1.9.0', true],
    ['^0.2.3', '0.3.0', false],
    ['~1.2.3', '1.2.9', true],
    ['~1.2.3', '1.3.0', false],
    ['1.x || >=3', 'v3.1', true],
    ['1.2 - 1.4', '1.4.9', true],
    ['>1.2', '1.2.5', false],
    ['<1.2', '1.1.9', true],
    ['!=1.2.3, >=1', '1.2.3', false],
    ['*', '4.5.6', true],
  ]
  for (const [constraint, version, expected] of table)
    t.equal(printed(`{{semverCompare "${constraint}" "${version}"}}`), String(expected), `${version} ${constraint}`)
})

t.test('partials are called by file name, indented, with a context and parameters', async t => {
  const more = {
    'templates/_labels.hbs': 'app: {{Release.Name}}\n{{#if extra}}\nextra: {{extra}}\n{{/if}}\n',
    'templates/sub/_tag.hbs': '{{tag}}',
  }

  t.equal(printed('labels:\n  {{> labels}}\nend', {}, more), 'labels:\n  app: shop\nend')
  t.equal(printed('{{> labels extra=1}}', {}, more), 'app: shop\nextra: 1\n')
  t.equal(
    printed('{{> tag Values.image}} {{> (printf "%s" "tag") Values.image}} {{include "tag" Values.image}}', values, more),
    'v1 v1 v1',
  )
})

t.test('faults point at the place in the template', async t => {
  const table: readonly (readonly [string, string])[] = [
    [
      'a: 1\nimage: {{Values.image.tga}}\n',
      'templates/_probe.hbs:2:10: undefined value Values.image.tga (did you mean Values.image.tag?)\n  1 | a: 1\n  2 | image: {{Values.image.tga}}\n    |          ^',
    ],
    [
      '{{Vlaues.x}}',
      'templates/_probe.hbs:1:3: undefined value Vlaues.x (did you mean Values.x?)\n  1 | {{Vlaues.x}}\n    |   ^',
    ],
    [
      '{{#each Values.list}}{{Values.name}}{{/each}}',
      'templates/_probe.hbs:1:24: undefined value Values.name (inside each, with and partials, write @root.Values.name)\n  1 | {{#each Values.list}}{{Values.name}}{{/each}}\n    |                        ^',
    ],
    [
      '{{Values.absent.a.b}}',
      'templates/_probe.hbs:1:3: undefined value Values.absent.a.b (there is no Values.absent)\n  1 | {{Values.absent.a.b}}\n    |   ^',
    ],
    [
      '{{Values.image}}',
      'templates/_probe.hbs:1:3: Values.image is a map; print it with toYaml or toJson\n  1 | {{Values.image}}\n    |   ^',
    ],
    [
      '{{.Values.x}}',
      "templates/_probe.hbs:1:3: unexpected '.' or '/': write {{Values.x}}, not {{.Values.x}}\n  1 | {{.Values.x}}\n    |   ^",
    ],
    [
      '{{#if true}}\na',
      'templates/_probe.hbs:2:2: a block is not closed: {{/if}}, {{/each}} or the like is missing\n  1 | {{#if true}}\n  2 | a\n    |  ^',
    ],
    [
      'a\n{{#if true}}{{/each}}',
      "templates/_probe.hbs:2:4: if doesn't match each\n  1 | a\n  2 | {{#if true}}{{/each}}\n    |    ^",
    ],
    ['{{qoute "a"}}', 'templates/_probe.hbs:1:3: unknown function qoute (did you mean quote?)\n  1 | {{qoute "a"}}\n    |   ^'],
    ['{{trunc "a"}}', 'templates/_probe.hbs:1:3: trunc wants 2 arguments, got 1\n  1 | {{trunc "a"}}\n    |   ^'],
    [
      '{{join "," Values.image}}',
      'templates/_probe.hbs:1:3: join wants a list as argument 2, got map\n  1 | {{join "," Values.image}}\n    |   ^',
    ],
    [
      '{{required "name your image" Values.absent}}',
      'templates/_probe.hbs:1:3: name your image\n  1 | {{required "name your image" Values.absent}}\n    |   ^',
    ],
    ['{{fail "no"}}', 'templates/_probe.hbs:1:3: no\n  1 | {{fail "no"}}\n    |   ^'],
    [
      '{{set Values "a" 1}}',
      'templates/_probe.hbs:1:3: set changes a map in place; in Handlebars build a new one with merge, omit or dict\n  1 | {{set Values "a" 1}}\n    |   ^',
    ],
    [
      '{{quote a=1}}',
      'templates/_probe.hbs:1:3: quote takes no named values; only dict and partials do\n  1 | {{quote a=1}}\n    |   ^',
    ],
    [
      '{{first Values.absent}}',
      'templates/_probe.hbs:1:3: first: runtime error: invalid memory address or nil pointer dereference (Values.absent has no value)\n  1 | {{first Values.absent}}\n    |   ^',
    ],
    [
      '{{#section}}{{/section}}',
      'templates/_probe.hbs:1:1: unknown block section; there are if, unless, with and each\n  1 | {{#section}}{{/section}}\n    | ^',
    ],
    [
      '{{> lables}}',
      'templates/_probe.hbs:1:1: unknown partial lables; a partial is a file templates/_lables.hbs\n  1 | {{> lables}}\n    | ^',
    ],
    [
      '{{> @partial-block}}',
      'templates/_probe.hbs:1:1: @partial-block: this partial was called without a block ({{#> name}}...{{/name}})\n  1 | {{> @partial-block}}\n    | ^',
    ],
    [
      '{{* deco}}',
      'templates/_probe.hbs:1:1: decorators ({{* ...}}) are not supported; write a partial file _name.hbs\n  1 | {{* deco}}\n    | ^',
    ],
    ['{{tpl "{{nope}}" this}}', 'templates/_probe.hbs:1 (tpl):1:3: undefined value nope\n  1 | {{nope}}\n    |   ^'],
  ]
  for (const [template, expected] of table) t.equal(printed(template, values), expected, template)
})

t.test('JavaScript is out of reach', async t => {
  for (const path of [
    'constructor',
    'Values.constructor',
    'Values.__proto__',
    'Values.list.length',
    'Values.name.length',
    'Values.toString',
    'this.__defineGetter__',
  ])
    t.match(printed(`{{${path}}}`, values), /: undefined value /, path)
  t.match(printed('{{constructor "x"}}'), 'unknown function constructor')
  t.equal(printed('{{default "safe" (get Values "__proto__")}}', values), 'safe')
  t.match(printed('{{toJson this}}', { __proto__: null, type: 'Program', body: [] }), '"type":"Program"')
})

t.test('a template that costs too much ends at the same place every time', async t => {
  const table: readonly (readonly [string, string])[] = [
    ['{{> probe}}', 'templates/_probe.hbs:1:1: more than 100 templates inside one another (the limit); does one include itself?'],
    ['{{include "probe" this}}', 'more than 100 templates inside one another'],
    ['{{#each (until 100000)}}{{#each (until 100000)}}x{{/each}}{{/each}}', 'more than 2000000 steps (the limit)'],
    ['{{repeat 100000000 "x"}}', 'a text of more than 4000000 characters (the limit)'],
    ['{{until 1000000}}', 'a list of more than 100000 items (the limit)'],
    ['{{indent 4000000 "a\nb"}}', 'a text of more than 4000000 characters'],
    ['{{printf "%99999999s" "a"}}', 'a text of more than 32000000 characters is formatted'],
    ['{{#each (until 1000)}}{{repeat 100000 "x"}}{{/each}}', 'more than 16000000 characters of output'],
    ['{{#each (until 50000)}}{{tpl "{{1}}" this}}{{/each}}', 'tpl called more than 10000 times'],
    ['{{tpl Values.self this}}', 'more than 100 templates inside one another'],
    ['{{#if 1}}'.repeat(200), 'more than 100 blocks inside one another (the limit)'],
    [`{{not ${'(not '.repeat(200)}1${')'.repeat(200)}}}`, 'more than 100 brackets inside one another (the limit)'],
  ]
  for (const [template, expected] of table)
    t.match(printed(template, { self: '{{tpl Values.self this}}' }, {}, { depth: 100 }), expected, template.slice(0, 60))
})

t.test('partials cannot be made to cost more than a limit', async t => {
  const more = {
    'templates/_again.hbs': '{{#> again}}{{> @partial-block}}{{/again}}',
    'templates/_lines.hbs': '\n'.repeat(100_000),
    'templates/_double.hbs': '{{> @partial-block}}{{> @partial-block}}',
    'templates/_letters.hbs': '{{#each (until 90000)}}{{#each (until 10)}}x{{/each}}{{/each}}',
  }
  const doubled = `${'{{#> double}}'.repeat(40)}${'x'.repeat(1_000)}${'{{/double}}'.repeat(40)}`
  const table: readonly (readonly [string, string])[] = [
    ['{{> again}}', 'more than 100 templates inside one another (the limit)'],
    [`${' '.repeat(100_000)}{{> lines}}\n`, 'a text of more than 4000000 characters (the limit)'],
    [doubled, '(the limit)'],
    ['{{toJson (list (include "letters") (include "letters") (include "letters"))}}', 'more than 2000000 steps (the limit)'],
  ]
  for (const [template, expected] of table) t.match(printed(template, {}, more, { depth: 100 }), expected, template.slice(0, 60))
  const small = { limits: { secrets: 3 } }
  for (const template of ['{{genPrivateKey "rsa"}}', '{{bcrypt "x"}}'.repeat(4)]) {
    const tree = { 'Chart.yaml': 'name: t', 'templates/a.hbs': template }
    t.match(renderTree(tree, small).error?.message, 'keys, certificates and slow hashes of a cost of more than 3 (the limit)')
  }
})

t.test('what is rendered is read within limits too', async t => {
  const rendered = (template: string, limits = {}): string =>
    renderTree({ 'Chart.yaml': 'name: t', 'templates/a.hbs': template }, { limits }).error?.message ?? 'no fault'

  t.match(rendered('{{repeat 200 "["}}'), /^templates\/a\.hbs:1: exceeded max depth of 100/)
  t.match(rendered('a: &a [1]\nb: [{{repeat 1100 "*a, "}}]'), 'more than 1000 aliases')
  t.match(rendered('a: 1\n{{repeat 100 "# x\n"}}', { yaml: 100 }), 'the limit is 100')
})

t.test('what a template rendered wrongly is told in the template', async t => {
  const result = renderTree({
    'Chart.yaml': 'name: t',
    'templates/web.hbs':
      'apiVersion: v1\nkind: ConfigMap\n{{#if true}}\nmetadata:\n  name: {{Release.Name}}\n{{/if}}\ndata:\n  a: 1\n  a: 2\n',
  })

  t.equal(result.error?.reason, 'InvalidYaml')
  t.equal(result.error?.message, 'templates/web.hbs:9: key a is there twice (first in line 6) (line 7 of what it rendered)')
  t.equal(result.error?.excerpt, '  7 | data:\n  8 |   a: 1\n  9 |   a: 2')
})

t.test('objects carry the line of the template that wrote them', async t => {
  const result = renderTree({
    'Chart.yaml': 'name: t',
    'templates/web.hbs':
      '{{#each (list "a" "b") as |name|}}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{name}}\n{{/each}}\n---\n# end\napiVersion: v1\nkind: Secret\nmetadata: { name: c }\n',
  })

  t.same(
    result.objects?.map(object => [object.manifest.metadata.name, object.file, object.line]),
    [
      ['c', 'templates/web.hbs', 10],
      ['a', 'templates/web.hbs', 3],
      ['b', 'templates/web.hbs', 3],
    ],
  )
})

t.test('a Secret template shows no literal in its excerpt', async t => {
  const result = renderTree({
    'Chart.yaml': 'name: t',
    'templates/s.hbs': 'kind: Secret\nstringData:\n  a: canary-4711\n  b: canary-4712{{Values.nope}}\n',
  })

  t.match(result.error?.excerpt, 'b: ***********{{Values.nope}}')
  t.notMatch(JSON.stringify(result), 'canary')
})

t.test('what a function refuses is told without the value, which may be a secret', async t => {
  const refusing = [
    'semver Values.s',
    'semverCompare Values.s "1.0.0"',
    'mustToDate "2006-01-02" Values.s',
    'regexMatch Values.bad "x"',
    'mustRegexFind Values.bad "x"',
    'urlParse Values.url',
    'mustFromJson Values.s',
    'until Values.s',
    'trunc Values.s "x"',
    'dig "a" Values.s Values',
    'lt Values.s 1',
    'merge Values.s',
    'toYaml (mustFromJson Values.json)',
    'buildCustomCert Values.s Values.s',
    'b32dec Values.s',
    'join "," Values',
    'index Values.s "x"',
    'fromYaml Values.s',
    'mustToDate Values.s "2006"',
    'date Values.s "x"',
    'decryptAES Values.s Values.s',
  ]
  const secrets = { s: 'canary-4711', bad: '[canary-4712', url: 'http://canary-4713 %zz:x', json: '{"a": canary-4714}' }
  for (const call of refusing) {
    const found = printed(`{{${call}}}`, secrets)
    if (found.includes('templates/_probe.hbs:1:')) t.notMatch(found, 'canary', call)
  }
  t.match(printed('{{mustToDate "2006-01-02" Values.s}}', secrets), 'parsing time "…" as "2006-01-02"')
  t.match(printed('{{semver "what"}}', {}), 'semver: ')
})
