/** Bit layouts of the SMMUv3 and of VMSAv8-64 translation tables: the one place where they are written down. */
export * from './cd.ts';
export * from './command.ts';
export * from './descriptor.ts';
export * from './event.ts';
export * from './layout.ts';
export * from './pri.ts';
export * from './register.ts';
export * from './ste.ts';
