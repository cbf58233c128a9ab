/**
 * Percent-encodes a key as in a form, slashes kept: `red flower.jpg` becomes `red+flower.jpg`. Used for
 * `encoding-type=url` and in event messages. Source: S3 User Guide, "Event message structure".
 */
export function urlEncodeKey(key: string): string {
  return encodeURIComponent(key.toWellFormed())
    .replaceAll('%20', '+')
    .replaceAll('%2F', '/')
    .replace(/[!'()~]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}
