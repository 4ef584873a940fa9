// What this machine's firewall would keep containers from: read from its rules, told in words. Changes nothing.
import { execFile } from 'node:child_process'

export interface FirewallRules {
  /** `iptables -S`, of each kind of iptables there is. */
  readonly iptables: string
  /** `nft list ruleset` */
  readonly nft: string
}

/** What could not be read (not root, no such program) is empty. */
export async function readFirewall(env: Readonly<Record<string, string | undefined>>): Promise<FirewallRules> {
  const PATH = `${env.PATH ?? ''}:/usr/sbin:/sbin`
  const read = (program: string, args: readonly string[]) =>
    new Promise<string>(resolve => {
      execFile(program, [...args], { timeout: 5_000, env: { PATH }, maxBuffer: 16 << 20 }, (_error, stdout) =>
        resolve(stdout ?? ''),
      )
    })
  const kinds = await Promise.all(['iptables', 'iptables-legacy', 'iptables-nft'].map(program => read(program, ['-S'])))
  return { iptables: kinds.join('\n'), nft: await read('nft', ['list', 'ruleset']) }
}

export interface PodSide {
  /** `slipway1`, and the range of its addresses. */
  readonly bridge: string
  readonly range: string
  readonly isPodman: boolean
}

/**
 * A Service's address is the machine's own, so a container's way to it is the INPUT chain: one that drops what it does not know cuts
 * containers from Services and from names. Docker with `"iptables": false` makes none of the rules by which they reach others.
 */
export function firewallWarnings(rules: FirewallRules, pods: PodSide): readonly string[] {
  const letsIn = (line: string) => /ACCEPT|accept/.test(line) && [pods.bridge, pods.range].some(name => line.includes(name))
  const all = `${rules.iptables}\n${rules.nft}`
  const input = dropsInput(rules) && !all.split('\n').some(letsIn)
  const docker = !pods.isPodman && rules.iptables.trim() !== '' && !/\bDOCKER\b|docker-bridges/.test(all)
  return [
    ...(input
      ? [
          `the firewall drops what comes in: containers cannot reach Services and names; let them: iptables -I INPUT -s ${pods.range} -j ACCEPT`,
        ]
      : []),
    ...(docker
      ? [
          'Docker has made no firewall rules here ("iptables": false in its daemon.json?): containers reach Services, but no other machine',
        ]
      : []),
  ]
}

/** By policy, or by a last rule that takes everything: in iptables' INPUT or in one of nft's chains at the same place. */
function dropsInput({ iptables, nft }: FirewallRules): boolean {
  const chains = nft.split(/^\s*chain /m).filter(text => /hook input\b/.test(text))
  const last = (text: string) => (text.split('}')[0] ?? '').trim().split('\n').at(-1)?.trim() ?? ''
  return (
    /^-P INPUT (DROP|REJECT)/m.test(iptables) ||
    /^-A INPUT -j (DROP|REJECT)/m.test(iptables) ||
    chains.some(text => /policy drop/.test(text) || /^(counter .*)?(drop|reject)\b/.test(last(text)))
  )
}
