import { stringify } from "yaml"
import type { MemoryDisk } from "../../src/files/MemoryDisk.ts"
import type { TrackerWorld, WrittenIssue } from "../../src/tracker/TrackerWorld.ts"

export interface FolderFile {
  /** `<State>/<name>.md`. */
  readonly path: string
  readonly state: string
  readonly name: string
  readonly inode: string
  readonly spoiled: boolean
}

/** The tracker as people have it before them: a folder of files. */
export interface IssueFolder {
  readonly files: () => ReadonlyArray<FolderFile>
  readonly write: (path: string, written: WrittenIssue) => void
  /** Saves a file anew, as editors do: another inode, what else is in it stays. */
  readonly edit: (path: string, title: string) => void
  readonly block: (path: string, blockers: ReadonlyArray<string>) => void
  readonly move: (from: string, to: string) => void
  readonly copy: (from: string, to: string) => void
  readonly remove: (path: string) => void
  /** As editors do that write a new file: the old one is gone until what is returned is called. */
  readonly putAside: (path: string) => () => void
  readonly spoil: (path: string) => void
  /** Makes a spoiled file readable again. */
  readonly mend: (path: string) => void
  /** Grows with each change, whoever makes it. */
  readonly version: () => number
}

const split = (path: string) => {
  const cut = path.indexOf("/")
  return { state: path.slice(0, cut), name: path.slice(cut + 1).replace(/\.md$/, "") }
}

export const recordFolder = (tracker: TrackerWorld): IssueFolder => {
  let version = 0
  tracker.subscribe(() => {
    version += 1
  })
  const written = (path: string): WrittenIssue => tracker.file(path)?.written ?? {}
  return {
    files: () =>
      tracker.paths().map((path) => {
        const file = tracker.file(path)
        return { path, ...split(path), inode: file?.inode ?? "", spoiled: file?.spoiled ?? false }
      }),
    write: tracker.put,
    edit: (path, title) => tracker.put(path, { ...written(path), title }),
    block: (path, blockedBy) => tracker.put(path, { ...written(path), blockedBy }),
    move: tracker.move,
    copy: tracker.duplicate,
    remove: tracker.remove,
    putAside: (path) => {
      const kept = written(path)
      tracker.remove(path)
      return () => tracker.put(path, kept)
    },
    spoil: tracker.spoil,
    mend: (path) => tracker.put(path, written(path)),
    version: () => version
  }
}

export const diskFolder = (disk: MemoryDisk, root: string, changes: () => number): IssueFolder => {
  const at = (path: string): string => `${root}/${path}`
  const text = (path: string): string => Buffer.from(disk.read(at(path)).bytes).toString("utf8")
  const render = ({ blockedBy, description, ...rest }: WrittenIssue): string =>
    `---\n${stringify({ ...rest, ...(blockedBy === undefined ? {} : { blocked_by: blockedBy }) })}---\n${description ?? ""}`
  const replace = (path: string, content: string): void => disk.put(at(path), content)
  const settled = (path: string): void => disk.syncFolder(at(split(path).state))
  const spoiled = new Map<string, string>()
  return {
    files: () =>
      disk.list(root).flatMap((state) =>
        state.kind !== "directory" || state.name.startsWith(".")
          ? []
          : disk.list(at(state.name)).flatMap((file) =>
              file.name.startsWith(".")
                ? []
                : [
                    {
                      path: `${state.name}/${file.name}`,
                      state: state.name,
                      name: file.name.replace(/\.md$/, ""),
                      inode: file.inode,
                      spoiled: text(`${state.name}/${file.name}`).startsWith("---\ntitle: [")
                    }
                  ]
            )
      ),
    write: (path, written) => replace(path, render(written)),
    edit: (path, title) => replace(path, text(path).replace(/^title:.*$/m, `title: ${title}`)),
    block: (path, blockers) =>
      replace(
        path,
        text(path)
          .replace(/^blocked_by:.*\n( +-.*\n)*/m, "")
          .replace(/^title:/m, `blocked_by: [${blockers.join(", ")}]\ntitle:`)
      ),
    move: (from, to) => {
      const folder = at(split(to).state)
      if (disk.stat(folder) === null) {
        disk.mkdir(folder)
        disk.syncFolder(root)
      }
      disk.rename(at(from), at(to))
      settled(from)
      settled(to)
    },
    copy: (from, to) => disk.put(at(to), text(from)),
    remove: (path) => {
      disk.unlink(at(path))
      settled(path)
    },
    putAside: (path) => {
      const kept = text(path)
      disk.unlink(at(path))
      return () => replace(path, kept)
    },
    spoil: (path) => {
      spoiled.set(path, text(path))
      disk.put(at(path), "---\ntitle: [\n---\n")
    },
    mend: (path) => disk.put(at(path), spoiled.get(path) ?? "---\ntitle: mended\n---\n"),
    version: changes
  }
}
