# users.auth.php
# <?php exit()?>
# user:passwordhash:Real Name:email:groups,comma,separated
admin:$6$saltsaltsalt$a3kD8hSKNGzmpi.n2il9r2p6MFsT9vmocTQKvJ.AF5loD0pigS0l4pmTpBSmR0B3.RaGFjh8Rha2K0b6npz7d1:Administrator:admin@example.org:admin,user
emma:$apr1$saltsalt$noT1727g59.AzNqdVDJp8.:Emma Editor:emma@example.org:editors,user
rosa:$1$saltsalt$yMFh4yuw5FVXRgWzlnSwQ/:Rosa Reader:rosa@example.org:user
sam:{SSHA}RCmQjwXoXCFH7q84j7rwJyBUipVzYWx0:Sam Sha:sam@example.org:user
mia:67b0a599f34d56843c1837a52222c051:Mia Md5:mia@example.org:user
