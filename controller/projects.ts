// Declared projects, in memory and written through; and what speaks against an application, by its own project and by those of the
// applications that declare it.
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { contentHash } from '../runtime/contract/hash.js'
import type { Manifest } from '../runtime/contract/manifest.js'
import { copyBeside, readKept } from '../runtime/whole-file.js'
import type { ProjectsDoor } from './api/projects.js'
import { RefusedError } from './api/service.js'
import {
  defaultProject,
  goingFault,
  isProject,
  mayDeclareProjects,
  objectFault,
  type Project,
  parseProject,
  type Whither,
} from './application/project.js'
import { type Application, isApplication, type KnownCluster } from './application.js'
import type { Fault } from './fields.js'
import type { Actor } from './ledger.js'
import type { Rejection, Release } from './release.js'
import type { AuditLine, Store, StoredProject } from './store/store.js'
import type { SyncWindow } from './sync/windows.js'

export interface ProjectsOptions {
  readonly store: Pick<Store, 'projects' | 'putProject' | 'removeProject'>
  /** A copy of them, for a store that was lost: a `default` that somebody narrowed must not be everything again. */
  readonly file: string
  /** It, or its copy, could not be read. */
  readonly broken: (fault: string) => void
  readonly now: () => number
  readonly clusters: () => readonly KnownCluster[]
  /** Applications by name: for the parents of one, and those of a project. */
  readonly applications: () => readonly Application[]
  readonly application: (name: string) => Application | null
  /** What they permit is another now. */
  readonly changed: (application: string) => void
}

export class ProjectRefusedError extends Error {
  override name = 'ProjectRefusedError'
  readonly faults: readonly Fault[]
  constructor(message: string, faults: readonly Fault[] = []) {
    super(message)
    this.faults = faults
  }
}

export interface Projects {
  /** After the store was read: where it was lost, they are put again. */
  restore(): Promise<void>
  all(): readonly StoredProject[]
  get(name: string): StoredProject | null
  /** Throws ProjectRefusedError. */
  declare(
    manifest: unknown,
    by: Actor,
    parent: string | null,
    dryRun: boolean,
  ): Promise<{
    readonly name: string
    readonly result: 'created' | 'changed' | 'unchanged'
    readonly warnings: readonly string[]
  }>
  /** Throws ProjectRefusedError while applications name it. */
  remove(name: string, parent: string | null): Promise<void>
  declaredBy(parent: string): readonly Manifest[]
  /** Of its own project. */
  windows(app: Application): readonly SyncWindow[]
  /** What its projects speak against: where it comes from, where it goes; with a release, what it makes. */
  faultOf(app: Application, release: Release | null): Rejection | null
  /** What the projects of `parent` speak against a child of it. '' where they do not. */
  childFault(parent: Application, child: Application): string
}

function listIn(text: string): readonly StoredProject[] {
  const list: unknown = JSON.parse(text)
  if (!Array.isArray(list) || !list.every(one => typeof one?.name === 'string')) throw new Error('it is no list of projects')
  return list as readonly StoredProject[]
}

export function createProjects(options: ProjectsOptions): Projects {
  const parsed = new Map<string, { readonly of: Manifest; readonly project: Project | null }>()
  const stored = () => new Map(options.store.projects().map(one => [one.name, one]))

  /** null: nobody declared it. One that cannot be read any more permits nothing. */
  function projectOf(name: string): Project | null {
    const found = options.store.projects().find(one => one.name === name)
    if (found === undefined) return name === 'default' ? defaultProject : null
    const before = parsed.get(name)
    if (before?.of === found.manifest) return before.project
    const { project } = parseProject(found.manifest)
    parsed.set(name, { of: found.manifest, project })
    return project
  }

  /** Its own name first, then those of the applications that declare it. */
  function namesFor(app: Application): readonly string[] {
    const names: string[] = [app.project]
    const seen = new Set<string>([app.name])
    for (let at = app.parent; at !== null && !seen.has(at); at = options.application(at)?.parent ?? null) {
      seen.add(at)
      const parent = options.application(at)
      if (parent !== null && !names.includes(parent.project)) names.push(parent.project)
    }
    return names
  }

  function whither({ destination }: Application): Whither {
    const server = options.clusters().find(one => destination.kind === 'cluster' && one.name === destination.name)?.server ?? ''
    return { place: destination.place, name: destination.name, server, namespace: destination.namespace }
  }

  function copy(): void {
    mkdirSync(dirname(options.file), { recursive: true, mode: 0o700 })
    const text = JSON.stringify(options.store.projects())
    writeFileSync(`${options.file}.new`, text, { mode: 0o600 })
    renameSync(`${options.file}.new`, options.file)
    copyBeside(options.file, Buffer.from(text))
  }

  function wake(name: string): void {
    const concerned = options.applications().filter(app => namesFor(app).includes(name))
    for (const app of concerned) options.changed(app.name)
  }

  function faultUnder(names: readonly string[], app: Application, release: Release | null): string {
    for (const name of names) {
      const project = projectOf(name)
      if (project === defaultProject) continue
      if (project === null) return `there is no project ${name}: apply it (slipway apply -f project.yaml), or name another`
      const going = { sources: app.sources, destination: whither(app) }
      const isNested = (object: Manifest) => isApplication(object) || isProject(object)
      const made = release === null ? null : objectFault(project, release.objects, going.destination, isNested)
      const nested = release?.objects.find(isProject)
      const message =
        goingFault(project, going) ||
        (made === null ? '' : made.message) ||
        (nested !== undefined && !mayDeclareProjects(project)
          ? `project ${project.name} does not let applications declare projects, and AppProject ${nested.metadata.name} is one: list the kind itself in namespaceResourceWhitelist`
          : '')
      if (message !== '') return message
    }
    return ''
  }

  return {
    async restore() {
      const { value, fault } = readKept(options.file, false, content => listIn(content.toString('utf8')))
      if (fault !== '') options.broken(fault)
      if (options.store.projects().length > 0) return fault === '' || value !== null ? undefined : copy()
      // What they did not permit must not be permitted because nobody can read it.
      if (value === null && fault !== '')
        throw new Error(
          `the store is lost, and so is the copy of its projects: restore a backup, or move it away and apply the projects (${fault})`,
        )
      for (const one of value ?? []) await options.store.putProject(one)
    },
    all: () => options.store.projects(),
    get: name => stored().get(name) ?? null,
    async declare(manifest, by, parent, dryRun) {
      const { project, faults, warnings } = parseProject(manifest)
      if (project === null) throw new ProjectRefusedError('The AppProject is not valid.', faults)
      const { name } = project
      const before = stored().get(name)
      if (before !== undefined && parent !== null && before.parent !== null && before.parent !== parent)
        throw new ProjectRefusedError(`project ${name} is declared by ${before.parent}; ${parent} may not declare it too.`)
      const keptParent = parent ?? before?.parent ?? null
      if (before !== undefined && before.parent === keptParent && contentHash(before.manifest) === contentHash(manifest))
        return { name, result: 'unchanged', warnings }
      const result = before === undefined ? 'created' : 'changed'
      if (dryRun) return { name, result, warnings }
      await options.store.putProject({ name, manifest: manifest as Manifest, parent: keptParent, by, at: options.now() })
      copy()
      wake(name)
      return { name, result, warnings }
    },
    async remove(name, parent) {
      const before = stored().get(name)
      if (before === undefined || (parent !== null && before.parent !== parent)) return
      const users = options.applications().filter(app => app.project === name)
      if (users.length > 0 && parent === null && name !== 'default')
        throw new ProjectRefusedError(
          `project ${name} is that of ${users
            .slice(0, 5)
            .map(app => app.name)
            .join(', ')}${users.length > 5 ? `, and ${users.length - 5} more` : ''}: give them another first.`,
        )
      await options.store.removeProject(name)
      copy()
      wake(name)
    },
    declaredBy: parent =>
      options.store
        .projects()
        .filter(one => one.parent === parent)
        .map(one => one.manifest),
    windows: app => namesFor(app).flatMap(name => projectOf(name)?.windows ?? []),
    faultOf(app, release) {
      const message = faultUnder(namesFor(app), app, release)
      return message === '' ? null : { reason: 'NotPermitted', message, excerpt: '', transient: false }
    },
    childFault: (parent, child) => faultUnder(namesFor(parent), child, null),
  }
}

/** For the API: refusals with their status, and a line of audit for each change. */
export function projectsDoor(projects: Projects, audit: (line: Omit<AuditLine, 'id' | 'at'>) => Promise<void>): ProjectsDoor {
  return {
    list: () => projects.all().map(({ manifest }) => manifest),
    get: name => projects.get(name)?.manifest ?? null,
    async declare(manifest, by, dryRun) {
      const made = await projects.declare(manifest, by, null, dryRun).catch(refusal)
      const message = `${made.result} project ${made.name}`
      if (!dryRun && made.result !== 'unchanged') await audit({ by, action: 'declare', application: '', message })
      return made
    },
    async remove(name, by) {
      if (projects.get(name) === null) throw new RefusedError(404, 'notFound', `There is no project ${name}.`)
      await projects.remove(name, null).catch(refusal)
      await audit({ by, action: 'delete', application: '', message: `deleted project ${name}` })
    },
  }
}

function refusal(error: unknown): never {
  if (!(error instanceof ProjectRefusedError)) throw error
  if (error.faults.length > 0) throw new RefusedError(422, 'invalidProject', error.message, error.faults)
  throw new RefusedError(409, 'taken', error.message)
}
