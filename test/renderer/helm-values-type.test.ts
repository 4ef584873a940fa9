// What `.Values` is called in Go after a function has had it in its hands, as Helm 3.22 prints it: the same map, under another name.
import t from 'tap'
import { pure, render } from '../../renderer/index.js'

const table: Readonly<Record<string, string>> = {
  'typeOf .Values': 'chartutil.Values',
  'typeOf .Values.b': 'map[string]interface {}',
  'typeOf (merge .Values dict)': 'map[string]interface {}',
  'typeOf (merge dict .Values)': 'map[string]interface {}',
  'typeOf (mustMergeOverwrite .Values dict)': 'map[string]interface {}',
  'typeOf (set .Values "q" 1)': 'map[string]interface {}',
  'typeOf (unset .Values "q")': 'map[string]interface {}',
  'typeOf (deepCopy .Values)': 'chartutil.Values',
  'typeOf (default 1 .Values)': 'chartutil.Values',
  'typeOf (get (dict "v" .Values) "v")': 'chartutil.Values',
  'typeIs "chartutil.Values" (merge .Values dict)': 'false',
  'kindOf (merge .Values dict)': 'map',
  '(set (set .Values "z" 1) "later" 2).later': '2',
}

t.test('merge, set and unset hand their map on without the name of its type', async t => {
  for (const [expression, expected] of Object.entries(table)) t.equal(shown(`{{ ${expression} }}`), expected, expression)
})

t.test('what is written into it afterwards the chart sees in its values', async t => {
  const text = '{{ $x := set .Values "z" 1 }}{{ $_ := set $x "later" 2 }}{{ .Values.later }} {{ len .Values }} {{ $x | toJson }}'

  t.equal(shown(text), '2 4 {"a":1,"b":{"c":1},"later":2,"z":1}')
})

function shown(template: string): unknown {
  const files = new Map([
    ['Chart.yaml', 'apiVersion: v2\nname: c\nversion: 0.1.0\n'],
    ['values.yaml', 'a: 1\nb: {c: 1}\n'],
    ['templates/a.yaml', `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {shown: '${template}'}\n`],
  ])
  const options = {
    directory: { recurse: false, include: '', exclude: '' },
    release: { name: 'r', namespace: 'default' },
    capabilities: { kubeVersion: 'v1.33.0', apiVersions: [] },
    valueFiles: [],
    ignoreMissingValueFiles: false,
    values: {},
    parameters: [],
  }
  const read = (path: string) => {
    const text = files.get(path)
    return text === undefined ? null : Buffer.from(text)
  }
  const { objects, error } = render(
    { paths: [...files.keys()], read },
    options,
    pure({ random: count => new Uint8Array(count), now: 0 }),
  )
  if (error !== undefined) throw new Error(error.message)
  return (objects[0]?.manifest.data as Readonly<Record<string, unknown>> | undefined)?.shown
}
