module smithy

go 1.19
