/**
 * A pattern of references, as shells have them: `*` and `?` stop at slashes. It may leave out the tag, and then fits all of them.
 * Source: `docker images --filter reference=…`.
 */
export function referencePattern(pattern: string): (reference: string) => boolean {
  const expression = new RegExp(`^${[...translate(pattern)].join('')}$`);
  return (reference) => {
    const [name] = reference.split('@');
    const bare = name!.replace(/:[^:/]*$/, '');
    return expression.test(reference) || expression.test(name!) || expression.test(bare);
  };
}

function* translate(pattern: string): Generator<string> {
  let stars = 0;
  for (const character of pattern) {
    // Many stars could only be meant to take long.
    if (character === '*') {
      stars += 1;
      yield stars > 8 ? '\\*' : '[^/]*';
    } else if (character === '?') yield '[^/]';
    else yield character.replace(/[.+^${}()|[\]\\]/, '\\$&');
  }
}
