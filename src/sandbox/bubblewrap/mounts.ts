/** One line of the guest's file system; `at` is where the guest sees it. */
export type Mount =
  | { readonly _tag: "ReadOnly"; readonly source: string; readonly at: string }
  | { readonly _tag: "ReadWrite"; readonly source: string; readonly at: string }
  /** An empty folder over what a mount above would show. */
  | { readonly _tag: "Mask"; readonly at: string }
  | { readonly _tag: "Link"; readonly target: string; readonly at: string }

/** Whether `path` is `folder` or lies in it. Both absolute and normalised. */
export const isWithin = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(folder.endsWith("/") ? folder : `${folder}/`)

const depth = (path: string): number => path.split("/").filter((part) => part !== "").length

/**
 * Hides the protected folders wherever a read-only mount would show them, and orders the whole so that what
 * lies deeper is mounted later: a workspace inside a masked folder stays visible, its neighbours do not. A link
 * that is asked for twice is made once.
 */
export const layOut = (
  mounts: ReadonlyArray<Mount>,
  protectedFolders: ReadonlyArray<string>
): ReadonlyArray<Mount> => {
  const masks = mounts.flatMap((mount): ReadonlyArray<Mount> => {
    if (mount._tag !== "ReadOnly") return []
    const covered = protectedFolders.filter((folder) => isWithin(folder, mount.source))
    return covered.map((folder) => ({ _tag: "Mask", at: mount.at + folder.slice(mount.source.length) }))
  })
  const once = mounts.filter(
    (mount, index) =>
      mount._tag !== "Link" || mounts.findIndex((it) => it._tag === "Link" && it.at === mount.at) === index
  )
  const rank = { ReadOnly: 0, Link: 0, Mask: 1, ReadWrite: 2 } as const
  return [...once, ...masks].toSorted(
    (left, right) => depth(left.at) - depth(right.at) || rank[left._tag] - rank[right._tag]
  )
}

const mountArguments = (mount: Mount): ReadonlyArray<string> => {
  switch (mount._tag) {
    case "ReadOnly":
      return ["--ro-bind", mount.source, mount.at]
    case "ReadWrite":
      return ["--bind", mount.source, mount.at]
    case "Mask":
      return ["--tmpfs", mount.at]
    case "Link":
      return ["--symlink", mount.target, mount.at]
  }
}

export const GUEST_HOME = "/home/agent"
/** The guest is never root, whoever runs symphony. */
const GUEST_ID = "1000"

export const guestPasswd = `agent:x:${GUEST_ID}:${GUEST_ID}:agent:${GUEST_HOME}:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n`
export const guestGroup = `agent:x:${GUEST_ID}:\nnogroup:x:65534:\n`

/** Everything before the command. The environment is not here: arguments are public, variables are not. */
export const bubblewrapArguments = (options: {
  /** As laid out. */
  readonly mounts: ReadonlyArray<Mount>
  readonly net: boolean
  readonly cwd: string
}): ReadonlyArray<string> => [
  "--unshare-user",
  "--unshare-pid",
  "--unshare-ipc",
  "--unshare-uts",
  "--unshare-cgroup-try",
  ...(options.net ? [] : ["--unshare-net"]),
  "--die-with-parent",
  "--new-session",
  "--cap-drop",
  "ALL",
  "--uid",
  GUEST_ID,
  "--gid",
  GUEST_ID,
  "--hostname",
  "symphony",
  "--proc",
  "/proc",
  "--dev",
  "/dev",
  "--tmpfs",
  "/tmp",
  ...options.mounts.flatMap(mountArguments),
  "--chdir",
  options.cwd,
  "--"
]
