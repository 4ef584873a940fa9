// Which repositories a webhook's body names, whatever its sender: nothing else is read of it. Pure; no shape is trusted.

export interface Push {
  readonly repoURLs: readonly string[]
  /** `refs/heads/main`, or null where the body names none, or several. */
  readonly ref: string | null
}

/** Where GitHub, GitLab, Gitea, Forgejo, Gogs, Bitbucket (Cloud and Server), Azure DevOps and our own form keep the address. */
const urlPaths = [
  'repository.clone_url',
  'repository.html_url',
  'repository.ssh_url',
  'repository.git_url',
  'repository.url',
  'project.git_http_url',
  'project.git_ssh_url',
  'project.web_url',
  'repository.git_http_url',
  'repository.git_ssh_url',
  'repository.links.html.href',
  'repository.links.clone.*.href',
  'repository.links.self.*.href',
  'resource.repository.remoteUrl',
  'repoURL',
  'repository',
]
const refPaths = ['ref', 'push.changes.*.new.name', 'changes.*.ref.id', 'changes.*.refId', 'resource.refUpdates.*.name']
const maxURLs = 20

export function pushOf(body: unknown): Push {
  const refs = [...new Set(refPaths.flatMap(path => textsAt(body, path.split('.'))))]
  return {
    repoURLs: [...new Set(urlPaths.flatMap(path => textsAt(body, path.split('.'))))].slice(0, maxURLs),
    ref: refs.length === 1 ? (refs[0] ?? null) : null,
  }
}

/** Texts under a path; `*` goes through an array. Whatever has another shape gives none. */
function textsAt(value: unknown, path: readonly string[]): readonly string[] {
  const [key, ...rest] = path
  if (key === undefined) return typeof value === 'string' && value !== '' && value.length <= 2000 ? [value] : []
  if (typeof value !== 'object' || value === null) return []
  if (key === '*') return Array.isArray(value) ? value.slice(0, maxURLs).flatMap(one => textsAt(one, rest)) : []
  return Object.hasOwn(value, key) ? textsAt((value as Record<string, unknown>)[key], rest) : []
}
