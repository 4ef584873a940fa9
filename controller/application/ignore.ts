// `spec.ignoreDifferences`: which fields of live objects are not compared (Argo CD docs/user-guide/diffing.md). Pure.
import type { IgnoreRule } from '../application.js'
import { type Fields, fieldsOf } from '../fields.js'

const fields = ['group', 'kind', 'name', 'namespace', 'jsonPointers', 'jqPathExpressions', 'managedFieldsManagers']

export function ignoreRulesOf(spec: Fields): readonly IgnoreRule[] {
  return spec.list('ignoreDifferences').map((entry, at) => {
    const rule = fieldsOf(entry, `${spec.path}.ignoreDifferences[${at}]`, spec.faults, fields)
    if (rule.text('kind', '') === '') rule.fault('kind', 'is missing; give the kind that the rule is for, or "*"')
    const jsonPointers = rule.textList('jsonPointers')
    for (const [index, pointer] of jsonPointers.entries())
      if (!pointer.startsWith('/') || /~(?![01])/.test(pointer))
        rule.fault(
          `jsonPointers[${index}]`,
          `want a JSON pointer such as /spec/replicas (~1 for / in a name, ~0 for ~), got ${JSON.stringify(pointer)}`,
        )
    return {
      group: rule.text('group', ''),
      kind: rule.text('kind', ''),
      name: rule.text('name', ''),
      namespace: rule.text('namespace', ''),
      jsonPointers,
      jqPathExpressions: rule.textList('jqPathExpressions'),
      managedFieldsManagers: rule.textList('managedFieldsManagers'),
    }
  })
}
