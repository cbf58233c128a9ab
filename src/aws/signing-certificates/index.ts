export { createSigningCertificateFrontEnd } from './front-end.ts';
