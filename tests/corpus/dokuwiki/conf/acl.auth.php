# acl.auth.php
# <?php exit()?>
*               @ALL        1
*               @user       8
private:*       @ALL        0
private:*       @editors    8
tea:*           %USER%      8
open:*          @ALL        2
open:*          @user       8
