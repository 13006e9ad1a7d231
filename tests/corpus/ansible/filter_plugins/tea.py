class FilterModule:
    def filters(self):
        return {"brewed": lambda kind: f"hot {kind}"}
