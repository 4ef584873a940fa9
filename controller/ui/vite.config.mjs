import { defineConfig } from 'vite'

export default defineConfig({
  root: import.meta.dirname,
  base: './',
  build: { outDir: '../../build/ui', emptyOutDir: true, target: 'es2022', sourcemap: false },
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact' },
})
