import t from 'tap'
import { engineNotes } from '../../runtime/docker/engine.js'
import { firewallWarnings } from '../../runtime/network/firewall.js'

const pods = { bridge: 'slipway1', range: '10.211.0.0/16', isPodman: false }
const open = '-P INPUT ACCEPT\n-P FORWARD DROP\n-N DOCKER\n-A FORWARD -o slipway1 -j DOCKER'
const closedNft =
  'table inet filter {\n\tchain input {\n\t\ttype filter hook input priority filter; policy drop;\n\t\tiif "lo" accept\n\t}\n}'
const lastRejects =
  'table inet firewalld {\n\tchain filter_INPUT {\n\t\ttype filter hook input priority filter + 10; policy accept;\n\t\tiifname "lo" accept\n\t\treject with icmpx admin-prohibited\n\t}\n}'

t.test('a firewall that keeps containers from Services is told with the rule that lets them', async t => {
  const cases: readonly [string, { iptables?: string; nft?: string }, RegExp | null][] = [
    ['open', { iptables: open }, null],
    [
      'dropped by policy',
      { iptables: open.replace('INPUT ACCEPT', 'INPUT DROP') },
      /iptables -I INPUT -s 10\.211\.0\.0\/16 -j ACCEPT/,
    ],
    [
      'dropped by its last rule',
      { iptables: `${open}\n-A INPUT -i lo -j ACCEPT\n-A INPUT -j REJECT --reject-with icmp-port-unreachable` },
      /drops what comes in/,
    ],
    ['let in by range', { iptables: `${open.replace('INPUT ACCEPT', 'INPUT DROP')}\n-A INPUT -s 10.211.0.0/16 -j ACCEPT` }, null],
    ['let in by bridge', { iptables: `${open.replace('INPUT ACCEPT', 'INPUT DROP')}\n-A INPUT -i slipway1 -j ACCEPT` }, null],
    ['one address dropped', { iptables: `${open}\n-A INPUT -s 192.0.2.1/32 -j DROP` }, null],
    ['dropped by nft', { iptables: open, nft: closedNft }, /drops what comes in/],
    ['rejected by the last rule of nft', { iptables: open, nft: lastRejects }, /drops what comes in/],
    ['nft lets the bridge in', { iptables: open, nft: closedNft.replace('"lo" accept', '"slipway1" accept') }, null],
    ['nothing readable', {}, null],
  ]
  for (const [name, { iptables = '', nft = '' }, expected] of cases) {
    const said = firewallWarnings({ iptables, nft }, pods)
    if (expected === null) t.same(said, [], name)
    else t.match(said, [expected], name)
  }
})

t.test('a Docker that makes no rules is told, a Podman is not asked for them', async t => {
  const rules = { iptables: '-P INPUT ACCEPT\n-P FORWARD ACCEPT\n-P OUTPUT ACCEPT', nft: '' }

  t.match(firewallWarnings(rules, pods), [/"iptables": false/])
  t.same(firewallWarnings(rules, { ...pods, isPodman: true }), [])
})

t.test('what does not work on an engine is said by name', async t => {
  const podman = { Version: '4.3.1', ApiVersion: '1.41', Components: [{ Name: 'Podman Engine', Version: '4.3.1' }] }
  const docker = { Version: '20.10.24', ApiVersion: '1.41' }
  const info = { NCPU: 2, MemTotal: 1 }

  t.same(engineNotes(docker, { ...info, CgroupVersion: '1', SecurityOptions: ['name=seccomp,profile=default'] }), [])
  t.match(engineNotes(docker, { ...info, SecurityOptions: ['name=rootless'] }), [/Docker runs without root/])
  t.match(engineNotes(podman, { ...info, CgroupVersion: '1', SecurityOptions: null }), [/killed for its memory/])
  t.same(engineNotes(podman, { ...info, CgroupVersion: '2' }), [])
})
