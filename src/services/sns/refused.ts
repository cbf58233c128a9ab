/** Operations that are not served, with the reason and what to do instead. */
export const REFUSED: Readonly<Record<string, string>> = {
  GetDataProtectionPolicy: 'Messages are not searched for personal data, so no topic has a data protection policy.',
  PutDataProtectionPolicy: 'Messages are not searched for personal data; filter them before they are published.',
};
