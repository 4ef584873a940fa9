// Every verb, in the order of the help. To add one: write its file (it exports `define`), add its line here.
import type { Define } from './cli.js'

export interface Verb {
  readonly name: string
  readonly summary: string
  readonly group: 'See' | 'Act' | 'Declare' | 'Access' | 'Machine'
  /** Loaded only when the verb is used: start-up stays fast. */
  readonly load: () => Promise<{ readonly define: Define }>
}

export const verbs: readonly Verb[] = [
  { name: 'apps', group: 'See', summary: 'every application, those that need you first', load: () => import('./apps.js') },
  {
    name: 'status',
    group: 'See',
    summary: 'one application: what runs, what is newest, its objects',
    load: () => import('./status.js'),
  },
  { name: 'why', group: 'See', summary: 'why it is as it is, on one screen', load: () => import('./why.js') },
  { name: 'diff', group: 'See', summary: 'what differs: Git and live, or any two releases', load: () => import('./diff.js') },
  { name: 'history', group: 'See', summary: 'every attempt with its outcome', load: () => import('./history.js') },
  { name: 'logs', group: 'See', summary: 'log lines of its containers', load: () => import('./logs.js') },
  { name: 'events', group: 'See', summary: 'what happened, and what happens', load: () => import('./events.js') },
  { name: 'nodes', group: 'See', summary: 'the machines and what they hold', load: () => import('./nodes.js') },
  {
    name: 'projects',
    group: 'See',
    summary: 'projects: from where to where their applications may go',
    load: () => import('./projects.js'),
  },
  { name: 'sync', group: 'Act', summary: 'look at Git now and release what is there', load: () => import('./sync.js') },
  { name: 'wait', group: 'Act', summary: 'until it is healthy, or will not be', load: () => import('./wait.js') },
  { name: 'rollback', group: 'Act', summary: 'go back to an earlier release', load: () => import('./rollback.js') },
  { name: 'retry', group: 'Act', summary: 'try a bad release again, with fresh pods', load: () => import('./retry.js') },
  {
    name: 'rotate',
    group: 'Act',
    summary: 'make passwords, keys and certificates of its chart anew; or list them',
    load: () => import('./rotate.js'),
  },
  {
    name: 'approve',
    group: 'Act',
    summary: 'let go what is not deleted without a word (Prune=confirm, Delete=confirm)',
    load: () => import('./approve.js'),
  },
  { name: 'pause', group: 'Act', summary: 'touch nothing until resumed', load: () => import('./pause.js') },
  { name: 'resume', group: 'Act', summary: 'go on', load: () => import('./resume.js') },
  { name: 'apply', group: 'Declare', summary: 'create or change applications from files', load: () => import('./apply.js') },
  { name: 'get', group: 'Declare', summary: "an application's declaration", load: () => import('./get.js') },
  { name: 'delete', group: 'Declare', summary: 'delete an application', load: () => import('./delete.js') },
  {
    name: 'import',
    group: 'Declare',
    summary: 'look at an Argo CD, observe it, take it over',
    load: () => import('./import.js'),
  },
  {
    name: 'release',
    group: 'Declare',
    summary: 'let an application go with everything it runs',
    load: () => import('./release.js'),
  },
  {
    name: 'render',
    group: 'Declare',
    summary: 'the objects that a release consists of; or a chart that is here, as helm template prints it',
    load: () => import('./render.js'),
  },
  { name: 'login', group: 'Access', summary: 'keep a server and its token; or open the page', load: () => import('./login.js') },
  { name: 'config', group: 'Access', summary: 'which server and token are used, and why', load: () => import('./config.js') },
  { name: 'tokens', group: 'Access', summary: 'make, list and revoke tokens', load: () => import('./tokens.js') },
  { name: 'up', group: 'Machine', summary: 'start everything on this machine', load: () => import('./up.js') },
  {
    name: 'prepare',
    group: 'Machine',
    summary: 'make the keys and the NATS configuration of a controller that something else starts, a pod for one',
    load: () => import('./prepare.js'),
  },
  { name: 'down', group: 'Machine', summary: 'end it; what runs goes on', load: () => import('./down.js') },
  {
    name: 'check',
    group: 'Machine',
    summary: 'what is installed, in which version, and what runs',
    load: () => import('./check.js'),
  },
  { name: 'backup', group: 'Machine', summary: 'write everything Slipway keeps to a file', load: () => import('./backup.js') },
  { name: 'restore', group: 'Machine', summary: 'take such a file back', load: () => import('./restore.js') },
]
