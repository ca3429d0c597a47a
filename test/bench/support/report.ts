/** What rows have to say beside their results: it is printed, and goes into docs/BENCHMARKS.md. */
export type Report = {
  /** Markdown under a heading of its own. */
  section(title: string, markdown: string): void
  /** An SVG, beside the document; returns how Markdown shows it. */
  plot(name: string, caption: string, svg: string): string
  readonly sections: ReadonlyMap<string, string>
  /** By their paths from the document. */
  readonly plots: ReadonlyMap<string, string>
}

export function createReport(): Report {
  const sections = new Map<string, string>()
  const plots = new Map<string, string>()
  return {
    section: (title, markdown) => void sections.set(title, markdown),
    plot(name, caption, svg) {
      const path = `benchmarks/${name}.svg`
      plots.set(path, svg)
      return `![${caption}](${path})`
    },
    sections,
    plots,
  }
}

export function markdownTable(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...lines.map(line)].join('\n')
}
