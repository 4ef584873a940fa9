// Which files of a folder belong to a chart, and in which language they are written.

export function isChart(paths: readonly string[]): boolean {
  return paths.includes('Chart.yaml')
}

/** Paths without which the chart cannot be rendered; the others are read when a template names them. */
export function isCore(path: string): boolean {
  return coreFiles.has(path) || /^(?:templates|charts)\//.test(path) || isCrd(path)
}

const coreFiles = new Set(
  'Chart.yaml Chart.lock values.yaml values.schema.json requirements.yaml requirements.lock .helmignore'.split(' '),
)

export function isHelmTemplate(path: string): boolean {
  return path.startsWith('templates/') && !path.endsWith('.hbs') && !/(^|\/)(NOTES\.txt|README\.md|\.[^/]*)$/.test(path)
}

function isCrd(path: string): boolean {
  return /^crds\/.*\.(yaml|yml|json)$/.test(path)
}

/** Do the root chart's templates, or any that could be given its context, read files beside the core ones? */
export function readsFiles(path: string, text: string): boolean {
  if (path.endsWith('.hbs')) return /files\./i.test(text)
  return path.endsWith('.tgz') || ((isHelmTemplate(path) || path.startsWith('charts/')) && text.includes('Files'))
}
