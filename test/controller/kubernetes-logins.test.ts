// Who we are in a cluster, each way that a configuration may say it, on a real API server: it is asked who it takes us for.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { accessTo, type ClusterSource } from '../../controller/cluster/kubernetes/access.js'
import { createClient } from '../../controller/cluster/kubernetes/client.js'
import { noKubernetes, startKubernetes } from '../support/kubernetes/server.js'

const hasOpenssl = spawnSync('openssl', ['version']).status === 0
const missing = hasOpenssl
  ? await noKubernetes()
  : 'NO CLIENT CERTIFICATES ARE TESTED HERE: they are made with openssl, which is missing'
if (missing !== false) {
  t.plan(0, missing)
  process.exit(0)
}
t.setTimeout(200_000)
const directory = mkdtempSync(join(tmpdir(), 'slipway-logins-'))
t.teardown(() => rmSync(directory, { recursive: true, force: true }))
const at = (name: string) => join(directory, name)
const pem = (name: string) => readFileSync(at(name), 'utf8')
const openssl = (...args: readonly string[]) => void execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' })
const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']

openssl('req', '-x509', ...newKey, '-keyout', 'ca.key', '-out', 'ca.crt', '-days', '2', '-subj', '/CN=clients')
openssl('req', ...newKey, '-keyout', 'deployer.key', '-out', 'deployer.csr', '-subj', '/O=deployers/CN=deployer')
openssl(
  'x509',
  '-req',
  '-in',
  'deployer.csr',
  '-CA',
  'ca.crt',
  '-CAkey',
  'ca.key',
  '-CAcreateserial',
  '-out',
  'deployer.crt',
  '-days',
  '2',
)
const real = await startKubernetes(t, { clientAuthority: pem('ca.crt') })
writeFileSync(at('server.crt'), real.ca)

const kubeconfig = (user: object): string => {
  const file = at(`kubeconfig-${Object.keys(user)[0]}`)
  const cluster = { server: real.url, 'certificate-authority': 'server.crt' }
  const context = { cluster: 'c', user: 'u' }
  const config = { clusters: [{ name: 'c', cluster }], users: [{ name: 'u', user }], contexts: [{ name: 'x', context }] }
  writeFileSync(file, JSON.stringify({ ...config, 'current-context': 'x' }))
  return file
}
const byFile = (user: object, allowExec = false): ClusterSource => ({
  name: 'prod',
  kind: 'kubeconfig',
  file: kubeconfig(user),
  context: '',
  allowExec,
})

/** Asks the server for our name and groups, as often as wished, over one client. */
async function named(t: Test, source: ClusterSource) {
  const client = await createClient({ access: await accessTo(source), now: Date.now })
  t.teardown(() => client.close())
  const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' }
  return async () => {
    const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews'
    const { status } = await client.call('POST', path, { body: review }, new AbortController().signal)
    return (status as { userInfo: { username: string; groups: readonly string[] } }).userInfo
  }
}

async function accountToken(name: string): Promise<string> {
  const accounts = '/api/v1/namespaces/default/serviceaccounts'
  await real.call('POST', accounts, { metadata: { name } })
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 600 } }
  return (await real.call('POST', `${accounts}/${name}/token`, body)).status.token
}

t.test('a client certificate, beside the kubeconfig or within it', async t => {
  const beside = { 'client-certificate': 'deployer.crt', 'client-key': 'deployer.key' }
  const coded = (name: string) => Buffer.from(pem(name)).toString('base64')
  const within = { 'client-certificate-data': coded('deployer.crt'), 'client-key-data': coded('deployer.key') }
  for (const user of [beside, within]) {
    const who = await named(t, byFile(user))
    t.match(await who(), { username: 'deployer', groups: ['deployers'] })
  }
})

t.test("the pod's own account, whose token is replaced while it is in use", async t => {
  const account = at('account')
  mkdirSync(account)
  writeFileSync(join(account, 'ca.crt'), real.ca)
  writeFileSync(join(account, 'token'), await accountToken('first'))
  const who = await named(t, { name: 'here', kind: 'account', directory: account, server: real.url })
  t.match(await who(), { username: 'system:serviceaccount:default:first' })

  writeFileSync(join(account, 'token'), await accountToken('second'))
  utimesSync(join(account, 'token'), new Date(), new Date(Date.now() + 5_000))

  t.match(await who(), { username: 'system:serviceaccount:default:second' })
})

t.test('server, authority and token; an authority that is not its own is refused, and so is a token that is none', async t => {
  const tokenFile = at('token')
  writeFileSync(tokenFile, await accountToken('third'))
  const source = { name: 'far', kind: 'token', server: real.url, caFile: at('server.crt'), tokenFile } as const

  t.match(await (await named(t, source))(), { username: 'system:serviceaccount:default:third' })
  await t.rejects((await named(t, { ...source, caFile: at('ca.crt') }))(), { name: 'UnreachableError', message: /certificate/ })
  writeFileSync(tokenFile, 'none')
  await t.rejects((await named(t, source))(), { name: 'ApiError', status: 401, isRefusal: false })
})

t.test('a program that logs in, where the operator allows it', async t => {
  const apiVersion = 'client.authentication.k8s.io/v1'
  const credential = { apiVersion, kind: 'ExecCredential', status: { token: real.token } }
  const user = { exec: { apiVersion, command: 'echo', args: [JSON.stringify(credential)], interactiveMode: 'Never' } }

  await t.rejects(accessTo(byFile(user)), /runs a program to log in; allow it with clusters\[\].allowExec/)
  t.match(await (await named(t, byFile(user, true)))(), { username: 'admin' })
})
