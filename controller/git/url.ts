// Repository addresses: which we speak to, how they are shown, and by which key a webhook's address finds ours.
import { isUnder } from '../fields.js'
import { SourceError } from './errors.js'

export type Credentials =
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  | { readonly kind: 'token'; readonly token: string }

/** Credentials for a repository (its URL without user and password), or null where none are known. */
export type CredentialsOf = (url: string) => Credentials | null

/** What is configured for the longest beginning of a repository's URL. */
export function credentialsIn(
  known: readonly { readonly url: string; readonly username: string; readonly password: string }[],
): CredentialsOf {
  return url => {
    const found = known.filter(access => isUnder(url, access.url)).sort((a, b) => b.url.length - a.url.length)[0]
    if (found === undefined || found.username === '') return null
    return { kind: 'basic', username: found.username, password: found.password }
  }
}

export type Remote =
  | { readonly kind: 'http'; readonly url: string; readonly shown: string; readonly credentials: Credentials | null }
  | { readonly kind: 'local'; readonly path: string; readonly url: string; readonly shown: string }

/**
 * The address as it may be printed: user, password and query values are stars.
 * `https://bob:pw@host/x.git?token=1` -> `https://***@host/x.git?token=***`
 */
export function maskUrl(url: string): string {
  return url
    .replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, '$1***@')
    .replace(/([?&][^=&#]*=)[^&#]*/g, '$1***')
    .replace(/[\u0000-\u001f\u007f]/g, '?')
}

/** Throws SourceError `InvalidSource` for what we do not speak; never prints a password. */
export function parseRemote(url: string, credentialsOf: CredentialsOf): Remote {
  const shown = maskUrl(url)
  if (url === '' || url.startsWith('-') || /[\u0000-\u0020\u007f]/.test(url)) {
    throw new SourceError('InvalidSource', `"${shown}" is no repository address: give an https URL or an absolute path`)
  }
  if (url.startsWith('/')) return localRemote(url, url)
  if (/^file:\/\//i.test(url)) return fileRemote(url, shown)
  if (/^https?:\/\//i.test(url)) return httpRemote(url, shown, credentialsOf)
  if (/^(ssh|git\+ssh):\/\//i.test(url) || /^[\w.-]+@[\w.-]+:/.test(url)) {
    throw new SourceError('InvalidSource', `${shown} is an ssh address, which is not supported: use its https form with a token`)
  }
  throw new SourceError('InvalidSource', `${shown} is no address we speak: give an http(s) URL or an absolute path`)
}

function localRemote(path: string, url: string): Remote {
  if (path.split('/').includes('..')) throw new SourceError('InvalidSource', `${path} has ".." in it: give the absolute path`)
  return { kind: 'local', path, url, shown: url }
}

function fileRemote(url: string, shown: string): Remote {
  const path = decoded(url.replace(/^file:\/\/(localhost)?/i, ''))
  if (!path.startsWith('/')) throw new SourceError('InvalidSource', `${shown} is not absolute: write file:///path/to/repository`)
  return localRemote(path, url)
}

function httpRemote(url: string, shown: string, credentialsOf: CredentialsOf): Remote {
  if (!URL.canParse(url)) throw new SourceError('InvalidSource', `${shown} is no valid URL`)
  const parsed = new URL(url)
  const { username, password } = parsed
  parsed.username = ''
  parsed.password = ''
  parsed.hash = ''
  if (parsed.search !== '') {
    throw new SourceError('InvalidSource', `${shown} has a query: give tokens as credentials, not in the URL`)
  }
  const bare = parsed.href.replace(/\/+$/, '')
  const credentials =
    username === '' && password === ''
      ? credentialsOf(bare)
      : { kind: 'basic' as const, username: decoded(username), password: decoded(password) }
  return { kind: 'http', url: bare, shown, credentials }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** A token goes as the password of `x-access-token`, which GitHub, GitLab, Gitea and Forgejo take. */
export function authorizationOf(credentials: Credentials): string {
  const pair =
    credentials.kind === 'token' ? `x-access-token:${credentials.token}` : `${credentials.username}:${credentials.password}`
  return `Basic ${Buffer.from(pair, 'utf8').toString('base64')}`
}

/**
 * One key for all forms of a repository's address; for waking only, so it may be coarse (no scheme, user, port, case, `.git`).
 * `git@host:team/app.git`, `ssh://git@host:22/team/app`, `https://host/Team/app.git` -> `host/team/app`
 */
export function repositoryKey(url: string): string {
  const scp = /^(?:[^@/\s]+@)?([\w.-]+):(?!\/\/)(.+)$/.exec(url)
  const full = /^[a-z][a-z0-9+.-]*:\/\/(?:[^@/?#]*@)?([^/?#:]*)(?::\d+)?([^?#]*)/i.exec(url)
  const [host, path] = full ? [full[1] ?? '', full[2] ?? ''] : scp ? [scp[1] ?? '', scp[2] ?? ''] : ['', url]
  const bare = path.replace(/^\/+|\/+$/g, '').replace(/\.git$/i, '')
  return `${host}/${bare}`.toLowerCase()
}
