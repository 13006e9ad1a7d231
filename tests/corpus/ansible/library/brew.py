#!/usr/bin/python3
from ansible.module_utils.basic import AnsibleModule


def main():
    module = AnsibleModule({"kind": {"required": True, "choices": ["green", "black"]}, "minutes": {"type": "int", "default": 3}}, supports_check_mode=True)
    if module.params["minutes"] > 10:
        module.fail_json(msg="bitter")
    module.exit_json(changed=True, brewed=module.params["kind"], seconds=module.params["minutes"] * 60)


if __name__ == "__main__":
    main()
