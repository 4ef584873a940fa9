// Light, dark, or as the system has it; kept in this browser.
import { effect, signal } from '@preact/signals'

const themes = ['auto', 'light', 'dark'] as const

export const theme = signal<(typeof themes)[number]>(themes.find(one => one === localStorage.getItem('slipway-theme')) ?? 'auto')

effect(() => {
  document.documentElement.dataset.theme = theme.value
  localStorage.setItem('slipway-theme', theme.value)
})

export function nextTheme(): void {
  theme.value = themes[(themes.indexOf(theme.value) + 1) % themes.length] ?? 'auto'
}
