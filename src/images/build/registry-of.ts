/** Where a reference's image comes from. Source: "distribution reference"; a name without a host is Docker Hub's. */
export function registryOf(reference: string): string {
  const [first = '', ...rest] = reference.split('/');
  return rest.length > 0 && (/[.:]/.test(first) || first === 'localhost') ? first : 'docker.io';
}
