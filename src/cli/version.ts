/** Replaced by the bundler with package.json's version; the fallback is for running from source. */
declare const __VIPWARD_VERSION__: string | undefined;
export const VERSION: string = typeof __VIPWARD_VERSION__ === "string" ? __VIPWARD_VERSION__ : "0.0.0-source";
