module slipway/fuzz/templates

go 1.26
