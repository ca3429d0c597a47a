/** One line of a plot; x grows by factors. */
export type Series = { name: string; points: readonly { x: number; y: number }[] }

const [WIDTH, HEIGHT] = [640, 320]
const [LEFT, RIGHT, TOP, BOTTOM] = [56, 150, 36, 44]
const COLOURS = ['#1f6feb', '#d1242f', '#1a7f37', '#9a6700'] as const
const GRID_LINES = 4

/** A plot as SVG: x by its logarithm, y from zero. */
export function renderPlot(title: string, xLabel: string, yLabel: string, series: readonly Series[]): string {
  const points = series.flatMap((each) => each.points)
  const xs = points.map(({ x }) => Math.log10(x))
  const [least, most] = [Math.min(...xs), Math.max(...xs)]
  const top = niceAbove(Math.max(...points.map(({ y }) => y)))
  const across = (x: number) => LEFT + ((Math.log10(x) - least) / (most - least || 1)) * (WIDTH - LEFT - RIGHT)
  const down = (y: number) => HEIGHT - BOTTOM - (y / top) * (HEIGHT - TOP - BOTTOM)
  const text = (x: number, y: number, anchor: string, content: string, fill = '#57606a') =>
    `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}" fill="${fill}">${content}</text>`

  const grid = Array.from({ length: GRID_LINES + 1 }, (_, index) => {
    const value = (top / GRID_LINES) * index
    const y = round(down(value))
    const line = `<line x1="${LEFT}" y1="${y}" x2="${WIDTH - RIGHT}" y2="${y}" stroke="#d0d7de"/>`
    return line + text(LEFT - 6, y + 4, 'end', String(Number(value.toPrecision(3))))
  })
  const ticks = [...new Set(points.map(({ x }) => x))].map((x) =>
    text(across(x), HEIGHT - BOTTOM + 18, 'middle', short(x)),
  )
  const lines = series.map(({ name, points }, index) => {
    const colour = COLOURS[index % COLOURS.length] ?? COLOURS[0]
    const path = points.map(({ x, y }) => `${round(across(x))},${round(down(y))}`).join(' ')
    const dots = points.map(
      ({ x, y }) => `<circle cx="${round(across(x))}" cy="${round(down(y))}" r="3" fill="${colour}"/>`,
    )
    const label = text(WIDTH - RIGHT + 12, TOP + 14 + index * 18, 'start', name, colour)
    return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>${dots.join('')}${label}`
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    text(LEFT, 20, 'start', `${title} (${yLabel})`, '#1f2328'),
    ...grid,
    ...ticks,
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, 'middle', xLabel),
    ...lines,
    '</svg>\n',
  ].join('\n')
}

function niceAbove(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value || 1))
  return ([1, 2, 4, 8, 10].find((factor) => factor * power >= value) ?? 10) * power
}

function short(value: number): string {
  if (value >= 1e6) return `${value / 1e6}M`
  return value >= 1e3 ? `${value / 1e3}k` : String(value)
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
