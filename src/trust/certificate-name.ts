const CERTIFICATE_NAME = /\.(pem|crt|cer|der|p7b|p7c|p7s|p12|pfx)$/i;

/** Whether a file of a folder, or a key of a ConfigMap, is taken for certificates by its name; hidden ones are not. */
export function isCertificateName(name: string): boolean {
  return !name.startsWith(".") && CERTIFICATE_NAME.test(name);
}
