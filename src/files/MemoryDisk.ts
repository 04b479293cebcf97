import type { Reason } from "./paths.ts"
import { byteOrder } from "./paths.ts"
import type { FileEntry, FileKind, FileStat } from "./SafeFiles.ts"

/** Raised by the disk's operations; the `SafeFiles` layer over it turns it into its own error. */
export class DiskRefusal extends Error {
  readonly reason: Reason
  constructor(reason: Reason) {
    super(reason)
    this.reason = reason
  }
}

/** Something that has a volatile state, which programs see, and a durable one, which a crash leaves. */
interface Inode {
  readonly inode: number
  readonly kind: FileKind
  modifiedAt: number
  readonly content: { live: Uint8Array; durable: Uint8Array }
  readonly entries: { live: Map<string, Inode>; durable: Map<string, Inode> }
  /** Of a symbolic link. */
  readonly target: string
  readonly watchers: Set<Watcher>
}

interface Watcher {
  readonly changed: (name: string) => void
  readonly gone: () => void
}

export interface MemoryDiskOptions {
  /** Epoch milliseconds for modification times; by default a counter that grows with each change. */
  readonly now?: () => number
}

/**
 * A disk that outlives the programs that use it. Operations are synchronous and see all changes at once; what
 * was not synced is lost in a crash: content without `syncFile`, names without `syncFolder`. Paths are
 * absolute; `..` and `.` are not known, links are followed by `resolveRoot` only.
 */
export interface MemoryDisk {
  readonly stat: (path: string) => FileStat | null
  readonly list: (path: string) => ReadonlyArray<FileEntry>
  readonly read: (path: string) => { readonly bytes: Uint8Array; readonly stat: FileStat }
  readonly readLink: (path: string) => string
  /** Makes a new empty file; the name must be free. */
  readonly create: (path: string) => void
  readonly write: (path: string, bytes: Uint8Array) => void
  readonly append: (path: string, bytes: Uint8Array) => void
  readonly rename: (from: string, to: string) => void
  readonly link: (from: string, to: string) => void
  readonly unlink: (path: string) => void
  readonly mkdir: (path: string) => void
  readonly rmdir: (path: string) => void
  readonly syncFile: (path: string) => void
  readonly syncFolder: (path: string) => void
  /** The folder that a path leads to when links are followed, as only an operator's own path may be. */
  readonly resolveRoot: (path: string) => string
  /** Tells of changes in one folder until the returned function is called, or a crash. */
  readonly watch: (path: string, watcher: Watcher) => () => void
  /** For a test's set-up and for the person in the story: durable at once, with the folders on the way. */
  readonly put: (path: string, content: string | Uint8Array) => void
  readonly putSpecial: (path: string, kind: "symlink" | "fifo" | "socket" | "device", target?: string) => void
  /** What a person's tool does: changes names durably, whatever is there. */
  readonly sync: () => void
  /**
   * The machine stops: each change that was not synced is kept only where `keeps` says so, and nobody watches
   * any more. Without `keeps` nothing unsynced survives.
   */
  readonly crash: (keeps?: () => boolean) => void
}

const EMPTY = new Uint8Array()

const refuse = (reason: Reason): never => {
  throw new DiskRefusal(reason)
}

export const makeMemoryDisk = (options: MemoryDiskOptions = {}): MemoryDisk => {
  let inodes = 0
  let changes = 0
  const now = options.now ?? (() => (changes += 1))

  const makeInode = (kind: FileKind, target = ""): Inode => ({
    inode: (inodes += 1),
    kind,
    modifiedAt: now(),
    content: { live: EMPTY, durable: EMPTY },
    entries: { live: new Map(), durable: new Map() },
    target,
    watchers: new Set()
  })

  const root = makeInode("directory")

  const statOf = (inode: Inode): FileStat => ({
    kind: inode.kind,
    size: inode.kind === "symlink" ? inode.target.length : inode.content.live.length,
    executable: false,
    inode: String(inode.inode),
    modifiedAt: inode.modifiedAt
  })

  const split = (path: string): ReadonlyArray<string> => path.split("/").filter((name) => name !== "")

  const find = (path: string): Inode | undefined => {
    let at: Inode | undefined = root
    for (const name of split(path)) {
      if (at === undefined) return undefined
      if (at.kind === "symlink") return refuse("link")
      if (at.kind !== "directory") return refuse("kind")
      at = at.entries.live.get(name)
    }
    return at
  }

  const get = (path: string): Inode => find(path) ?? refuse("missing")

  const folderAt = (path: string): Inode => {
    const inode = get(path)
    if (inode.kind === "symlink") return refuse("link")
    return inode.kind === "directory" ? inode : refuse("kind")
  }

  const fileAt = (path: string): Inode => {
    const inode = get(path)
    if (inode.kind === "symlink") return refuse("link")
    return inode.kind === "file" ? inode : refuse("kind")
  }

  const locate = (path: string): { readonly folder: Inode; readonly name: string } => {
    const names = split(path)
    const name = names.at(-1) ?? refuse("kind")
    return { folder: folderAt(names.slice(0, -1).join("/")), name }
  }

  const tell = (folder: Inode, name: string): void => {
    for (const watcher of folder.watchers) watcher.changed(name)
  }

  const setEntry = (path: string, inode: Inode): void => {
    const { folder, name } = locate(path)
    folder.entries.live.set(name, inode)
    tell(folder, name)
  }

  const dropEntry = (path: string): void => {
    const { folder, name } = locate(path)
    const inode = folder.entries.live.get(name)
    folder.entries.live.delete(name)
    tell(folder, name)
    if (inode?.kind === "directory") for (const watcher of inode.watchers) watcher.gone()
  }

  const setContent = (path: string, bytes: Uint8Array): void => {
    const inode = fileAt(path)
    inode.content.live = bytes
    inode.modifiedAt = now()
    const { folder, name } = locate(path)
    tell(folder, name)
  }

  const requireFree = (path: string): void => {
    locate(path)
    if (find(path) !== undefined) refuse("exists")
  }

  const place = (path: string, make: () => Inode): void => {
    requireFree(path)
    setEntry(path, make())
  }

  const mkdirs = (path: string): void => {
    let at = ""
    for (const name of split(path)) {
      at = `${at}/${name}`
      if (find(at) === undefined) place(at, () => makeInode("directory"))
    }
  }

  const everything = (): ReadonlyArray<Inode> => {
    const seen = new Set<Inode>([root])
    for (const inode of seen) {
      for (const child of [...inode.entries.live.values(), ...inode.entries.durable.values()]) seen.add(child)
    }
    return [...seen]
  }

  const syncAll = (): void => {
    for (const inode of everything()) {
      inode.content.durable = inode.content.live
      inode.entries.durable = new Map(inode.entries.live)
    }
  }

  const parentOf = (path: string): string => split(path).slice(0, -1).join("/")

  /** What a person does is on the disk; what the program has not synced stays unsynced. */
  const putDurably = (path: string, make: () => Inode): void => {
    const made: Array<string> = []
    for (let at = parentOf(path); find(at) === undefined; at = parentOf(at)) made.push(at)
    mkdirs(parentOf(path))
    const inode = make()
    setEntry(path, inode)
    for (const each of [...made, path]) {
      const { folder, name } = locate(each)
      folder.entries.durable.set(name, get(each))
    }
  }

  const settle = (inode: Inode, keeps: () => boolean): void => {
    if (inode.content.durable !== inode.content.live && keeps()) inode.content.durable = inode.content.live
    const { durable, live } = inode.entries
    for (const name of new Set([...durable.keys(), ...live.keys()])) {
      const newer = live.get(name)
      if (newer === durable.get(name) || !keeps()) continue
      if (newer === undefined) durable.delete(name)
      else durable.set(name, newer)
    }
    inode.content.live = inode.content.durable
    inode.entries.live = new Map(durable)
    inode.watchers.clear()
  }

  return {
    stat: (path) => {
      const inode = find(path)
      return inode === undefined ? null : statOf(inode)
    },
    list: (path) =>
      [...folderAt(path).entries.live]
        .sort(([left], [right]) => byteOrder(left, right))
        .map(([name, inode]) => ({ name, ...statOf(inode) })),
    read: (path) => {
      const inode = fileAt(path)
      return { bytes: inode.content.live, stat: statOf(inode) }
    },
    readLink: (path) => {
      const inode = get(path)
      return inode.kind === "symlink" ? inode.target : refuse("kind")
    },
    create: (path) => place(path, () => makeInode("file")),
    write: setContent,
    append: (path, bytes) => setContent(path, Buffer.concat([fileAt(path).content.live, bytes])),
    rename: (from, to) => {
      const inode = get(from)
      if (find(to)?.kind === "directory") refuse("kind")
      locate(to)
      dropEntry(from)
      setEntry(to, inode)
    },
    link: (from, to) => {
      const inode = fileAt(from)
      place(to, () => inode)
    },
    unlink: (path) => {
      if (get(path).kind === "directory") refuse("kind")
      dropEntry(path)
    },
    mkdir: (path) => place(path, () => makeInode("directory")),
    rmdir: (path) => {
      if (folderAt(path).entries.live.size > 0) refuse("exists")
      dropEntry(path)
    },
    syncFile: (path) => {
      const inode = fileAt(path)
      inode.content.durable = inode.content.live
    },
    syncFolder: (path) => {
      const inode = folderAt(path)
      inode.entries.durable = new Map(inode.entries.live)
    },
    resolveRoot: (path) => {
      let at = ""
      for (const name of split(path)) {
        at = `${at}/${name}`
        for (let hops = 0; find(at)?.kind === "symlink"; hops++) {
          if (hops === 40) refuse("link")
          at = get(at).target
        }
      }
      return at
    },
    watch: (path, watcher) => {
      const inode = folderAt(path)
      inode.watchers.add(watcher)
      return () => inode.watchers.delete(watcher)
    },
    put: (path, content) =>
      putDurably(path, () => {
        const inode = makeInode("file")
        inode.content.live = Buffer.from(content)
        inode.content.durable = inode.content.live
        return inode
      }),
    putSpecial: (path, kind, target) => putDurably(path, () => makeInode(kind, target)),
    sync: syncAll,
    crash: (keeps = () => false) => {
      for (const inode of everything()) settle(inode, keeps)
    }
  }
}
