/** Of some content types the one that an `Accept` header prefers by name; undefined when it names none of them. */
export function preferredType<Type extends string>(
  accept: string | undefined,
  types: readonly Type[],
): Type | undefined {
  let best: { readonly type: Type; readonly weight: number } | undefined
  for (const range of (accept ?? '').split(',')) {
    const [name = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase())
    const type = types.find((each) => each === name)
    const weight = Number(parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? 1)
    if (type && weight > (best?.weight ?? 0)) best = { type, weight }
  }
  return best?.type
}
