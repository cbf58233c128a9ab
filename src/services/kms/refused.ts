const CUSTOM_STORES =
  'There are no custom key stores: create keys with Origin AWS_KMS, or import your own material with EXTERNAL.';

/** Operations that are refused, with what to do instead. */
export const REFUSED: Readonly<Record<string, string>> = {
  ConnectCustomKeyStore: CUSTOM_STORES,
  CreateCustomKeyStore: CUSTOM_STORES,
  DeleteCustomKeyStore: CUSTOM_STORES,
  DisconnectCustomKeyStore: CUSTOM_STORES,
  UpdateCustomKeyStore: CUSTOM_STORES,
};
