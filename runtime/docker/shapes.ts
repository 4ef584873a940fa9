// What the engine answers, as far as it is read here (Docker Engine API 1.41 and Podman's compatible API).

export interface EngineVersion {
  readonly Version: string
  readonly ApiVersion: string
  readonly MinAPIVersion?: string
  readonly Os?: string
  readonly Arch?: string
  readonly Components?: readonly { readonly Name: string; readonly Version: string }[]
}

export interface EngineInfo {
  readonly NCPU: number
  readonly MemTotal: number
  readonly DockerRootDir?: string
  /** Pairs of a name and a value. */
  readonly DriverStatus?: readonly (readonly string[])[] | null
  readonly CgroupVersion?: string
  readonly Architecture?: string
  readonly LiveRestoreEnabled?: boolean
  readonly SecurityOptions?: readonly string[] | null
  readonly [field: string]: unknown
}

export interface ContainerListed {
  readonly Id: string
  readonly Names: readonly string[]
  readonly State: string
  readonly Created: number
  readonly ImageID: string
  readonly Labels: Readonly<Record<string, string>> | null
}

export interface ContainerInspected {
  readonly Id: string
  readonly Name: string
  readonly Image: string
  readonly Created: string
  readonly State: {
    readonly Status: string
    readonly Running: boolean
    readonly OOMKilled: boolean
    readonly ExitCode: number
    readonly Error: string
    readonly Pid: number
    readonly StartedAt: string
    readonly FinishedAt: string
  }
  readonly Config: { readonly Labels: Readonly<Record<string, string>> | null; readonly Tty: boolean; readonly Image: string }
  readonly HostConfig: { readonly NetworkMode: string }
  readonly NetworkSettings: { readonly Networks: Readonly<Record<string, { readonly IPAddress: string }>> | null }
}

export interface ImageInspected {
  readonly Id: string
  readonly RepoTags: readonly string[] | null
  readonly RepoDigests: readonly string[] | null
  readonly Architecture?: string
  readonly Size?: number
  readonly Config: {
    readonly User?: string
    readonly Entrypoint?: readonly string[] | null
    readonly Cmd?: readonly string[] | null
    readonly StopSignal?: string
    readonly ExposedPorts?: Readonly<Record<string, unknown>> | null
    readonly Volumes?: Readonly<Record<string, unknown>> | null
  } | null
}

export interface NetworkInspected {
  readonly Id: string
  readonly Name: string
  readonly Labels: Readonly<Record<string, string>> | null
  readonly IPAM: {
    readonly Config: readonly { readonly Subnet?: string; readonly Gateway?: string; readonly IPRange?: string }[] | null
  }
  readonly Options: Readonly<Record<string, string>> | null
  readonly Containers?: Readonly<Record<string, { readonly Name: string; readonly IPv4Address: string }>> | null
}

export interface VolumeInspected {
  readonly Name: string
  readonly Mountpoint: string
  readonly Labels: Readonly<Record<string, string>> | null
}

export interface EngineEvent {
  readonly Type: string
  readonly Action: string
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> }
  readonly time: number
  readonly timeNano: number
}

export interface PullProgress {
  readonly id?: string
  readonly status?: string
  readonly progressDetail?: { readonly current?: number; readonly total?: number }
  readonly error?: string
}

/** Credentials for one registry, as the engine's `X-Registry-Auth` header wants them. */
export type RegistryAuth =
  | { readonly username: string; readonly password: string; readonly serveraddress: string }
  | { readonly identitytoken: string; readonly serveraddress: string }

export interface ExecResult {
  readonly exitCode: number
  /** stdout and stderr together, as they came, cut at the asked size. */
  readonly output: string
}
